import type { CallAudio, CallMoment, CallTurn } from './call-types.ts'

type Scene = {
  audio: CallAudio
  moments: CallMoment[]
  turns: CallTurn[]
  atMs: number
  width: number
  height: number
  theme: string
}

/** What has a mark on the timeline, and which. */
export const SIGNS: Partial<Record<CallMoment['kind'], string>> = {
  barge_in: '✂',
  tool: '◆',
  engine: '⇄',
  transfer: '↗',
  problem: '!',
  asked_again: '?',
}
const BAR = 2
const GAP = 1
/** Room above the sides for the marks. */
const HEAD = 18
/** Silence of both sides is shaded from this length on. */
const SILENCE_MS = 2_000
/** Below this loudness a side is silent: comfort noise is louder than nothing. */
const QUIET = 2

/** Draws both sides: the caller above the middle, the agent below, what was played in full colour. */
export function drawWaveform(canvas: HTMLCanvasElement, scene: Scene): void {
  const { width, height, audio, atMs } = scene
  const scale = devicePixelRatio || 1
  canvas.width = width * scale
  canvas.height = height * scale
  const context = canvas.getContext('2d')
  if (!context) return
  context.scale(scale, scale)
  const colors = colorsOf(canvas)
  const x = (ms: number) => (ms / Math.max(1, audio.durationMs)) * width
  const middle = HEAD + (height - HEAD) / 2
  const half = (height - HEAD) / 2 - 4

  context.fillStyle = colors.shade
  for (const { fromMs, toMs } of silencesOf(audio))
    context.fillRect(x(fromMs), HEAD, x(toMs) - x(fromMs), height - HEAD)

  const bars = Math.max(1, Math.floor(width / (BAR + GAP)))
  for (let bar = 0; bar < bars; bar++) {
    const left = bar * (BAR + GAP)
    context.globalAlpha = left <= x(atMs) ? 1 : 0.45
    const up = loudest(audio.caller, bar, bars) * half
    const down = loudest(audio.agent, bar, bars) * half
    context.fillStyle = colors.caller
    context.fillRect(left, middle - 1 - up, BAR, Math.max(1, up))
    context.fillStyle = colors.agent
    context.fillRect(left, middle + 1, BAR, Math.max(1, down))
  }
  context.globalAlpha = 1
  drawCuts(context, scene, { x, middle, half, color: colors.warn })
  drawMarks(context, scene, { x, colors })
  context.fillStyle = colors.ink
  context.fillRect(Math.min(width - 2, x(atMs)), HEAD - 4, 2, height - HEAD + 4)
}

/** Where an agent's turn was cut off, a line below the middle. */
function drawCuts(
  context: CanvasRenderingContext2D,
  { turns }: Scene,
  at: { x(ms: number): number; middle: number; half: number; color: string },
): void {
  context.strokeStyle = at.color
  context.setLineDash([3, 3])
  for (const turn of turns.filter(({ interrupted, role }) => interrupted && role === 'agent')) {
    const left = at.x(turn.startMs + (turn.heardMs ?? turn.endMs - turn.startMs))
    context.beginPath()
    context.moveTo(left, at.middle)
    context.lineTo(left, at.middle + at.half)
    context.stroke()
  }
  context.setLineDash([])
}

function drawMarks(
  context: CanvasRenderingContext2D,
  { moments, width, height }: Scene,
  { x, colors }: { x(ms: number): number; colors: ReturnType<typeof colorsOf> },
): void {
  context.font = '12px Heebo, sans-serif'
  context.textAlign = 'center'
  for (const { kind, atMs, failed } of moments.filter(isMarked)) {
    const left = Math.min(Math.max(x(atMs), 6), width - 6)
    context.fillStyle = kind === 'problem' || failed ? colors.danger : kind === 'barge_in' ? colors.warn : colors.muted
    context.fillText(SIGNS[kind] ?? '', left, 12)
    context.globalAlpha = 0.35
    context.fillRect(left, HEAD, 1, height - HEAD)
    context.globalAlpha = 1
  }
}

function loudest(side: number[], bar: number, bars: number): number {
  const from = Math.floor((bar / bars) * side.length)
  const to = Math.max(from + 1, Math.floor(((bar + 1) / bars) * side.length))
  let value = 0
  for (let i = from; i < to && i < side.length; i++) value = Math.max(value, side[i] ?? 0)
  // Speech is mostly far from the loudest: the root shows the soft parts too.
  return Math.sqrt(value / 100)
}

/** Where both sides are silent for long. */
export function silencesOf({ caller, agent, stepMs, durationMs }: CallAudio): { fromMs: number; toMs: number }[] {
  const silences: { fromMs: number; toMs: number }[] = []
  let from = 0
  const steps = Math.max(caller.length, agent.length)
  for (let step = 0; step <= steps; step++) {
    const quiet = step < steps && (caller[step] ?? 0) <= QUIET && (agent[step] ?? 0) <= QUIET
    if (quiet) continue
    if ((step - from) * stepMs >= SILENCE_MS)
      silences.push({ fromMs: from * stepMs, toMs: Math.min(step * stepMs, durationMs) })
    from = step + 1
  }
  return silences
}

function colorsOf(element: HTMLElement) {
  // A new element for each: one that changes its color would be asked in the middle of a transition.
  const read = (name: string) => {
    const probe = document.createElement('span')
    probe.style.color = `var(--color-${name})`
    element.parentElement?.append(probe)
    const { color } = getComputedStyle(probe)
    probe.remove()
    return color
  }
  return {
    ink: read('ink'),
    muted: read('muted'),
    caller: read('muted'),
    agent: read('accent'),
    warn: read('warn'),
    danger: read('danger'),
    shade: read('raised'),
  }
}

/** Whether a moment has a mark: the first engine replaces none. */
export const isMarked = ({ kind, detail }: CallMoment) =>
  SIGNS[kind] !== undefined && (kind !== 'engine' || detail !== null)
