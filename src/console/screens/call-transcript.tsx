import { useTranslations } from 'use-intl'
import { Icon } from '../ui/icon.tsx'
import { Duration, useSeconds, Written } from '../ui/values.tsx'
import { Moment, SHOWN_MOMENTS } from './call-moment.tsx'
import type { CallMoment, CallTurn } from './call-types.ts'
import type { Player } from './use-player.ts'

type Line = { atMs: number; turn: CallTurn } | { atMs: number; moment: CallMoment; key: string }

/** An answer belongs to the agent's turn that begins this close to it. */
const NEAR_MS = 300

/** What was said and done, in order: a turn is played by pressing it, and the one that plays is marked. */
export function Transcript({ turns, moments, player }: { turns: CallTurn[]; moments: CallMoment[]; player: Player }) {
  const t = useTranslations('call')
  const lines = linesOf(turns, moments)
  const playingId = player.ready ? turnAt(turns, player.atMs)?.id : undefined
  return (
    <section aria-labelledby="transcript" className="min-w-0 flex-1">
      <h2 id="transcript" className="mb-3 font-semibold text-lg">
        {t('transcript')}
      </h2>
      {lines.length === 0 && <p className="text-muted">{t('nothingSaid')}</p>}
      <ol className="flex flex-col gap-2">
        {lines.map((line) =>
          'turn' in line ? (
            <Turn
              key={line.turn.id}
              turn={line.turn}
              waitedMs={waitedBefore(line.turn, moments)}
              heard={heardLength(line.turn, moments)}
              player={player}
              isPlaying={line.turn.id === playingId}
            />
          ) : (
            <Moment key={line.key} moment={line.moment} player={player} />
          ),
        )}
      </ol>
    </section>
  )
}

function linesOf(turns: CallTurn[], moments: CallMoment[]): Line[] {
  const shown = moments.filter(({ kind, detail }) => SHOWN_MOMENTS.has(kind) && (kind !== 'engine' || detail !== null))
  return [
    ...turns.map((turn): Line => ({ atMs: turn.startMs, turn })),
    ...shown.map((moment, index): Line => ({ atMs: moment.atMs, moment, key: `${moment.kind}${index}` })),
  ].sort((a, b) => a.atMs - b.atMs)
}

/** The turn that is heard at a moment: the later one where both speak. */
function turnAt(turns: CallTurn[], atMs: number): CallTurn | undefined {
  return turns
    .filter(({ startMs, endMs }) => startMs <= atMs + 1 && atMs < endMs)
    .sort((a, b) => b.startMs - a.startMs)[0]
}

function waitedBefore(turn: CallTurn, moments: CallMoment[]): number | null {
  if (turn.role !== 'agent') return null
  return moments.find(({ kind, atMs }) => kind === 'answer' && Math.abs(atMs - turn.startMs) <= NEAR_MS)?.ms ?? null
}

function Turn({
  turn,
  waitedMs,
  heard,
  player,
  isPlaying,
}: {
  turn: CallTurn
  waitedMs: number | null
  /** Characters of its text. */
  heard: number
  player: Player
  isPlaying: boolean
}) {
  const t = useTranslations('call')
  const seconds = useSeconds()
  const look = `flex w-full max-w-xl items-start gap-2 rounded-2xl px-3 py-2 text-start ${
    turn.role === 'agent' ? 'bg-accent-soft' : 'border border-line bg-surface'
  } ${isPlaying ? 'ring-2 ring-accent' : ''}`
  const content = (
    <span className="min-w-0">
      <small className="block text-muted">
        {t(turn.role)} · <Duration ms={turn.startMs} />
        {waitedMs !== null && ` · ${t('answeredIn', { seconds: seconds(waitedMs) })}`}
        {isPlaying && player.playing && <strong className="ms-2 text-accent">{t('playing')}</strong>}
      </small>
      {turn.text ? <Spoken text={turn.text} heard={heard} /> : <em className="text-muted">{t('noText')}</em>}
      {turn.interrupted && <small className="block text-warn">{t('cutOff')}</small>}
    </span>
  )
  return (
    <li
      aria-current={isPlaying ? 'true' : undefined}
      className={`flex ${turn.role === 'agent' ? 'justify-end' : 'justify-start'}`}
    >
      {player.ready ? (
        <button type="button" onClick={() => player.seek(turn.startMs, true)} className={`${look} cursor-pointer`}>
          <Icon name="play" className="mt-0.5 text-muted" />
          {content}
        </button>
      ) : (
        <div className={look}>{content}</div>
      )}
    </li>
  )
}

/** What the caller did not hear any more is struck through. */
function Spoken({ text, heard }: { text: string; heard: number }) {
  return (
    <Written>
      {text.slice(0, heard)}
      {heard < text.length && <s className="text-muted">{text.slice(heard)}</s>}
    </Written>
  )
}

/** How many characters of unpointed text are said in a second: for a call whose trace is not stored. */
const CHARACTERS_PER_SECOND = 14

/** How much of a turn's text was heard, by the share of the audio that was played; cut between words. */
function heardLength({ text, role, interrupted, heardMs, startMs }: CallTurn, moments: CallMoment[]): number {
  const words = text ?? ''
  if (role !== 'agent' || !interrupted || heardMs === null) return words.length
  const cut = moments.find(
    ({ kind, atMs, ms }) => kind === 'barge_in' && atMs >= startMs && ms !== null && Math.abs(ms - heardMs) <= 2,
  )
  const share = cut?.ofMs ? heardMs / cut.ofMs : ((heardMs / 1000) * CHARACTERS_PER_SECOND) / words.length
  if (share >= 1) return words.length
  return Math.max(0, words.lastIndexOf(' ', Math.ceil(words.length * share)))
}
