import { useQuery } from '@tanstack/react-query'
import { useTranslations } from 'use-intl'
import { fileAddress } from '../app/base.ts'
import { query } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Problem } from '../ui/fields.tsx'

/** Lives the call through again by today's code, and shows where it decides otherwise. */
export function Replay({ callId }: { callId: string }) {
  const t = useTranslations('call')
  const replay = useQuery({ ...query('calls.replay', { id: callId }), enabled: false })
  const difference = replay.data?.firstDifference
  return (
    <section aria-labelledby="replay" className="flex flex-col gap-3 rounded-xl border border-line bg-surface p-4">
      <h2 id="replay" className="font-semibold">
        {t('replayTitle')}
      </h2>
      <p className="text-muted text-sm">{t('replayHint')}</p>
      <div className="flex flex-wrap items-center gap-3">
        <Act isDisabled={replay.isFetching} onPress={() => void replay.refetch()}>
          {t('replay')}
        </Act>
        <a
          href={fileAddress(`/api/v1/calls/${callId}/trace`)}
          download={`${callId}.jsonl`}
          className="text-sm underline"
        >
          {t('downloadTrace')}
        </a>
      </div>
      <Problem error={replay.error} />
      {replay.data && (
        <p role="status">
          {replay.data.same
            ? t('replaySame', { count: replay.data.decisions.length })
            : t('replayDifferent', { index: (difference?.index ?? 0) + 1 })}
        </p>
      )}
      {difference && (
        <dl className="grid grid-cols-[auto_1fr] gap-x-3 gap-y-1 text-sm">
          <dt className="text-muted">{t('replayThen')}</dt>
          <dd className="min-w-0 break-words">
            <bdi dir="ltr">{difference.recorded?.what ?? '—'}</bdi>
          </dd>
          <dt className="text-muted">{t('replayNow')}</dt>
          <dd className="min-w-0 break-words">
            <bdi dir="ltr">{difference.replayed?.what ?? '—'}</bdi>
          </dd>
        </dl>
      )}
    </section>
  )
}
