import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from 'react'
import { useTranslations } from 'use-intl'
import type { CallAudio, CallMoment, CallTurn } from './call-types.ts'
import { drawWaveform, isMarked, SIGNS } from './draw-waveform.ts'
import type { Player } from './use-player.ts'

const HEIGHT = 132
const ONE_SIDE_HEIGHT = 88
const STEP_MS = 5_000
const PAGE_MS = 30_000

/** Both sides, or the caller alone, over time on a canvas, from left to right in every language; a slider for the keyboard and screen readers. */
export function Waveform({
  audio,
  moments,
  turns,
  player,
  label,
}: {
  audio: CallAudio
  moments: CallMoment[]
  turns: CallTurn[]
  player: Player
  /** Of a recording of the caller alone. */
  label?: string
}) {
  const t = useTranslations('call')
  const canvas = useRef<HTMLCanvasElement>(null)
  const width = useWidth(canvas)
  const theme = useTheme()
  const height = label ? ONE_SIDE_HEIGHT : HEIGHT
  const { atMs, durationMs, seek } = player
  useEffect(() => {
    const element = canvas.current
    if (element && width > 0) drawWaveform(element, { audio, moments, turns, atMs, width, height, theme })
  }, [audio, moments, turns, atMs, width, height, theme])

  const seekTo = (event: PointerEvent<HTMLElement>) => {
    const box = event.currentTarget.getBoundingClientRect()
    seek(((event.clientX - box.left) / box.width) * durationMs)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const jumps: Record<string, number> = {
      ArrowRight: atMs + STEP_MS,
      ArrowUp: atMs + STEP_MS,
      ArrowLeft: atMs - STEP_MS,
      ArrowDown: atMs - STEP_MS,
      PageUp: atMs + PAGE_MS,
      PageDown: atMs - PAGE_MS,
      Home: 0,
      End: durationMs,
    }
    const to = jumps[event.key]
    if (event.key === ' ') player.toggle()
    else if (to !== undefined) seek(to)
    else return
    event.preventDefault()
  }
  return (
    <div className="flex flex-col gap-1">
      <div
        dir="ltr"
        role="slider"
        tabIndex={0}
        aria-label={label ?? t('position')}
        aria-valuemin={0}
        aria-valuemax={Math.round(durationMs / 1000)}
        aria-valuenow={Math.round(atMs / 1000)}
        aria-valuetext={t('positionOf', { at: seconds(atMs), of: seconds(durationMs) })}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId)
          seekTo(event)
        }}
        onPointerMove={(event) => {
          if (event.currentTarget.hasPointerCapture(event.pointerId)) seekTo(event)
        }}
        onKeyDown={onKeyDown}
        className="w-full cursor-pointer touch-pan-y rounded-lg bg-page"
      >
        <canvas ref={canvas} className="block w-full" style={{ height }} />
      </div>
      {!label && <Legend moments={moments} />}
    </div>
  )
}

function Legend({ moments }: { moments: CallMoment[] }) {
  const t = useTranslations('call')
  const kinds = [...new Set(moments.filter(isMarked).map(({ kind }) => kind))]
  return (
    <p className="flex flex-wrap gap-x-4 gap-y-1 text-muted text-xs">
      <span>
        <i aria-hidden="true" className="me-1 inline-block size-2 rounded-full bg-muted" />
        {t('callerAbove')}
      </span>
      <span>
        <i aria-hidden="true" className="me-1 inline-block size-2 rounded-full bg-accent" />
        {t('agentBelow')}
      </span>
      {kinds.map((kind) => (
        <span key={kind}>
          <bdi aria-hidden="true" className="me-1 font-bold">
            {SIGNS[kind]}
          </bdi>
          {t(`moment.${kind}`)}
        </span>
      ))}
      <span>{t('keys')}</span>
    </p>
  )
}

function seconds(ms: number): string {
  const all = Math.round(ms / 1000)
  return `${Math.floor(all / 60)}:${String(all % 60).padStart(2, '0')}`
}

function useWidth(canvas: React.RefObject<HTMLCanvasElement | null>): number {
  const [width, setWidth] = useState(0)
  useEffect(() => {
    const element = canvas.current
    if (!element) return
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry?.contentRect.width ?? 0)))
    observer.observe(element)
    return () => observer.disconnect()
  }, [canvas])
  return width
}

/** A canvas knows no variables of the style sheet: it is drawn anew when light and dark change. */
function useTheme(): string {
  const [theme, setTheme] = useState(readTheme)
  useEffect(() => {
    const update = () => setTheme(readTheme())
    const media = matchMedia('(prefers-color-scheme: dark)')
    const observer = new MutationObserver(update)
    observer.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    media.addEventListener('change', update)
    return () => {
      observer.disconnect()
      media.removeEventListener('change', update)
    }
  }, [])
  return theme
}

function readTheme(): string {
  return `${document.documentElement.dataset.theme ?? ''}${matchMedia('(prefers-color-scheme: dark)').matches}`
}
