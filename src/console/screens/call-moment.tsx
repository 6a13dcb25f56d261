import { useTranslations } from 'use-intl'
import { Duration, useSeconds, Written } from '../ui/values.tsx'
import type { CallMoment } from './call-types.ts'
import { SIGNS } from './draw-waveform.ts'
import type { Player } from './use-player.ts'

/** What is said between the turns; interruptions and answers are said beside theirs. */
export const SHOWN_MOMENTS: ReadonlySet<CallMoment['kind']> = new Set([
  'tool',
  'engine',
  'resumed',
  'asked_again',
  'key_pressed',
  'transfer',
  'command',
  'problem',
])

/** One thing that happened between the turns; a tool shows what it was asked and what it answered. */
export function Moment({ moment, player }: { moment: CallMoment; player: Player }) {
  const t = useTranslations('call')
  const seconds = useSeconds()
  const when = (
    <>
      <span aria-hidden="true">{SIGNS[moment.kind] ?? '·'}</span> {titleOf(moment, t)}{' '}
      <small className="text-muted">
        <Duration ms={moment.atMs} />
        {moment.kind === 'tool' && moment.ms !== null && ` · ${t('took', { seconds: seconds(moment.ms) })}`}
      </small>
    </>
  )
  if (moment.kind === 'tool')
    return (
      <li className="self-center">
        <details className="max-w-xl rounded-xl border border-line border-dashed px-3 py-1 text-sm">
          <summary className={`cursor-pointer ${moment.failed ? 'text-danger' : ''}`}>
            {when}
            {moment.failed && <strong> · {t('toolFailed')}</strong>}
          </summary>
          <Values title={t('toolArgs')} value={moment.args} />
          <Values title={t('toolResult')} value={moment.result} />
        </details>
      </li>
    )
  return (
    <li className={`self-center text-center text-sm ${moment.kind === 'problem' ? 'text-danger' : 'text-muted'}`}>
      {player.ready ? (
        <button
          type="button"
          className="cursor-pointer underline-offset-4 hover:underline"
          onClick={() => player.seek(moment.atMs)}
        >
          {when}
        </button>
      ) : (
        when
      )}
      {moment.detail && moment.kind !== 'engine' && <Written className="block text-xs">{moment.detail}</Written>}
    </li>
  )
}

const TOOLS = [
  'save_lead',
  'end_call',
  'transfer_to_human',
  'find_times',
  'book_appointment',
  'my_appointments',
  'reschedule_appointment',
  'cancel_appointment',
  'join_waiting_list',
  'lookup_business_info',
  'send_whatsapp',
  'take_message',
  'update_contact',
] as const

const COMMANDS = ['end', 'transfer', 'whisper'] as const

function titleOf({ kind, name }: CallMoment, t: ReturnType<typeof useTranslations<'call'>>): string {
  const tool = TOOLS.find((each) => each === name)
  if (kind === 'tool') return tool ? t(`tool.${tool}`) : (name ?? '')
  if (kind === 'key_pressed') return t('pressed', { key: name ?? '' })
  if (kind === 'command') return t(`command.${COMMANDS.find((each) => each === name) ?? 'whisper'}`)
  if (kind === 'engine') return t('engineReplaced', { engine: name ?? '' })
  return t(`moment.${kind}`)
}

/** The fields of an object, each as text. */
function Values({ title, value }: { title: string; value: unknown }) {
  if (value === undefined || value === null) return null
  const fields = typeof value === 'object' && !Array.isArray(value) ? Object.entries(value) : [['', value] as const]
  return (
    <div className="mt-2">
      <strong className="text-muted text-xs">{title}</strong>
      <dl className="grid grid-cols-[auto_1fr] gap-x-3">
        {fields.map(([name, field]) => (
          <div key={name} className="contents">
            <dt className="text-muted">
              <bdi dir="ltr">{name}</bdi>
            </dt>
            <dd className="min-w-0">
              <Written>{typeof field === 'string' ? field : JSON.stringify(field, null, 1)}</Written>
            </dd>
          </div>
        ))}
      </dl>
    </div>
  )
}
