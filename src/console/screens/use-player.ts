import { type RefObject, useCallback, useEffect, useRef, useState } from 'react'

export type Player = {
  audio: RefObject<HTMLAudioElement | null>
  ready: boolean
  playing: boolean
  atMs: number
  durationMs: number
  speed: number
  /** Jumps, and plays from there if asked. */
  seek(ms: number, play?: boolean): void
  toggle(): void
  setSpeed(speed: number): void
}

const STEP_MS = 5_000
/** Controls that use the keys themselves. */
const CONTROLS = 'button, a, input, select, textarea, summary, audio, [role=slider], [role=dialog], [contenteditable]'

/**
 * Audio with its position, and the keys of the page: space plays and pauses, arrows jump.
 * @param hasKeys false where another one has them
 */
export function usePlayer(durationMs: number, hasKeys = true): Player {
  const audio = useRef<HTMLAudioElement>(null)
  const [playing, setPlaying] = useState(false)
  const [atMs, setAtMs] = useState(0)
  const [speed, setSpeedNow] = useState(1)
  const ready = durationMs > 0

  const seek = useCallback(
    (ms: number, play = false) => {
      const element = audio.current
      if (!element || !ready) return
      const to = Math.min(Math.max(ms, 0), durationMs)
      element.currentTime = to / 1000
      setAtMs(to)
      if (play) void element.play().catch(() => setPlaying(false))
    },
    [ready, durationMs],
  )
  const toggle = useCallback(() => {
    const element = audio.current
    if (!element || !ready) return
    if (element.paused) void element.play().catch(() => setPlaying(false))
    else element.pause()
  }, [ready])
  const setSpeed = (value: number) => {
    setSpeedNow(value)
    if (audio.current) audio.current.playbackRate = value
  }

  useEffect(() => {
    const element = audio.current
    if (!element || !ready) return
    const update = () => {
      setPlaying(!element.paused)
      setAtMs(element.currentTime * 1000)
    }
    const events = ['play', 'pause', 'ended', 'seeked', 'timeupdate'] as const
    for (const event of events) element.addEventListener(event, update)
    return () => {
      for (const event of events) element.removeEventListener(event, update)
    }
  }, [ready])

  // The element reports its time four times a second: too seldom to follow with the eye.
  useEffect(() => {
    if (!playing) return
    let frame = requestAnimationFrame(function follow() {
      if (audio.current) setAtMs(audio.current.currentTime * 1000)
      frame = requestAnimationFrame(follow)
    })
    return () => cancelAnimationFrame(frame)
  }, [playing])

  useEffect(() => {
    if (!hasKeys) return
    const onKey = (event: KeyboardEvent) => {
      const { target, key } = event
      if (event.ctrlKey || event.metaKey || event.altKey) return
      if (target instanceof Element && target.closest(CONTROLS)) return
      if (key === ' ') toggle()
      else if (key === 'ArrowRight' || key === 'ArrowLeft')
        seek((audio.current?.currentTime ?? 0) * 1000 + (key === 'ArrowRight' ? STEP_MS : -STEP_MS))
      else return
      event.preventDefault()
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [toggle, seek, hasKeys])

  return { audio, ready, playing, atMs, durationMs, speed, seek, toggle, setSpeed }
}
