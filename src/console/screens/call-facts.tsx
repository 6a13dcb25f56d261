import { Link } from '@tanstack/react-router'
import { useFormatter, useMessages, useTranslations } from 'use-intl'
import { Duration, Phone, useSeconds } from '../ui/values.tsx'
import type { CallDetail, CallMoment } from './call-types.ts'

/** How a call ended, what became of the caller, and what was measured. */
export function Facts({ detail, moments }: { detail: CallDetail; moments: CallMoment[] }) {
  const t = useTranslations('call')
  const { ends } = useMessages().call
  const hasWords = (reason: string | null): reason is keyof typeof ends => reason !== null && reason in ends
  return (
    <section aria-labelledby="facts" className="flex flex-col gap-3 rounded-xl border border-line bg-surface p-4">
      <h2 id="facts" className="font-semibold">
        {t('endedBy')}
      </h2>
      <p>{hasWords(detail.endReason) ? t(`ends.${detail.endReason}`) : (detail.endReason ?? t(detail.state))}</p>
      <Became detail={detail} />
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-sm">
        {!detail.isTest && (
          <>
            <Fact name={t('from')}>
              <Phone value={detail.from} />
            </Fact>
            <Fact name={t('to')}>
              <Phone value={detail.to} />
            </Fact>
          </>
        )}
        {detail.durationMs !== null && (
          <Fact name={t('duration')}>
            <Duration ms={detail.durationMs} />
          </Fact>
        )}
        <Measures metrics={detail.metrics} moments={moments} />
      </dl>
      {detail.endDetail && (
        <details className="text-muted text-xs">
          <summary className="cursor-pointer">{t('technical')}</summary>
          <bdi dir="ltr" className="break-words">
            {detail.endReason}: {detail.endDetail}
          </bdi>
        </details>
      )}
    </section>
  )
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <>
      <dt className="text-muted">{name}</dt>
      <dd>{children}</dd>
    </>
  )
}

/** Where the caller stands now: a message, a person, a lead, the conversation. */
function Became({ detail }: { detail: CallDetail }) {
  const t = useTranslations('call')
  return (
    <ul className="flex flex-col gap-1">
      {detail.recordings.length > 0 && <li>{t('leftMessage')}</li>}
      {detail.recordings.length === 0 && detail.fallback === 'voicemail' && <li>{t('leftNoMessage')}</li>}
      {detail.endReason === 'transferred' && <li>{t('wasTransferred')}</li>}
      {detail.lead && (
        <li>
          <Link to="/leads" search={{ lead: detail.lead.id }} className="underline">
            {t('becameLead')}
            {detail.lead.name && (
              <>
                {': '}
                <bdi>{detail.lead.name}</bdi>
              </>
            )}
          </Link>
        </li>
      )}
      {detail.contactId && (
        <li>
          <Link to="/inbox" search={{ view: 'all', contact: detail.contactId }} className="underline">
            {t('openConversation')}
          </Link>
        </li>
      )}
    </ul>
  )
}

/** What was measured: each with its unit; what was not measured is left out. */
function Measures({ metrics, moments }: { metrics: CallDetail['metrics']; moments: CallMoment[] }) {
  const t = useTranslations('call')
  const format = useFormatter()
  const inSeconds = useSeconds()
  const seconds = (ms: number) => t('seconds', { seconds: inSeconds(ms) })
  const dollars = (micro: number) =>
    format.number(micro / 1e6, { style: 'currency', currency: 'USD', maximumFractionDigits: 4 })
  const engines = [...new Set(moments.filter(({ kind }) => kind === 'engine').map(({ name }) => name))]
  const shown = [
    ['greetingMs', t('greetingAfter'), seconds],
    ['responseMedianMs', t('answerMedian'), seconds],
    ['responseP95Ms', t('answerP95'), seconds],
    ['bargeIns', t('bargeIns'), String],
    ['tools', t('tools'), String],
    ['engineFailures', t('engineFailures'), String],
    ['costMicroUsd', t('cost'), dollars],
  ] as const
  return (
    <>
      {shown.map(([key, name, write]) => {
        const value = metrics?.[key]
        if (typeof value !== 'number' || (value === 0 && key !== 'costMicroUsd')) return null
        return (
          <Fact key={key} name={name}>
            <bdi className="tabular-nums">{write(value)}</bdi>
          </Fact>
        )
      })}
      {engines.length > 0 && (
        <Fact name={t('engine')}>
          {engines.length === 1 && engines[0] === 'embedded' ? (
            t('engineEmbedded')
          ) : (
            <bdi dir="ltr">{engines.join(' → ')}</bdi>
          )}
        </Fact>
      )}
    </>
  )
}
