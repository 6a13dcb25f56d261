import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useTranslations } from 'use-intl'
import { type Out, query } from '../app/trpc.ts'
import { Heading, Loaded } from '../ui/states.tsx'
import { Ago, Phone } from '../ui/values.tsx'
import { Facts } from './call-facts.tsx'
import { CallPlayer } from './call-player.tsx'
import { Recordings } from './call-recordings.tsx'
import { Replay } from './call-replay.tsx'
import { Summary } from './call-summary.tsx'
import { Transcript } from './call-transcript.tsx'
import type { CallDetail } from './call-types.ts'
import { usePlayer } from './use-player.ts'

const call = getRouteApi('/calls/$callId')

/** How often a page asks for audio that is being made, beside the event that announces it. */
const ASK_AGAIN_MS = 3_000

function Who({ detail: { isTest, contactName, from } }: { detail: Out<'calls.get'> }) {
  const t = useTranslations('call')
  if (isTest) return t('testCall')
  return contactName ? <bdi>{contactName}</bdi> : <Phone value={from} />
}

/** One call: its audio on a timeline, what was said and done, how it ended and what became of the caller. */
export function CallPage() {
  const t = useTranslations('call')
  const { callId } = call.useParams()
  const found = useQuery(query('calls.get', { id: callId }))
  return (
    <>
      <Heading
        aside={
          found.data && (
            <span className="text-muted">
              <Who detail={found.data} /> · <Ago at={found.data.startedAt} />
            </span>
          )
        }
      >
        {t('title')}
      </Heading>
      <div className="min-h-0 flex-1 overflow-y-auto p-4">
        <Loaded of={found}>{(data) => <Call key={data.id} detail={data} />}</Loaded>
      </div>
    </>
  )
}

function Call({ detail }: { detail: CallDetail }) {
  const { id } = detail
  const audio = useQuery({
    ...query('calls.audio', { id }),
    refetchInterval: ({ state }) => (state.data?.state === 'rendering' ? ASK_AGAIN_MS : false),
  })
  const moments = useQuery({ ...query('calls.moments', { id }), enabled: detail.hasRecord })
  const items = moments.data?.items ?? []
  const player = usePlayer(audio.data?.state === 'ready' ? audio.data.durationMs : 0)
  return (
    <div className="flex flex-col gap-4">
      <CallPlayer callId={id} audio={audio.data} moments={items} turns={detail.turns} player={player} />
      <div className="flex flex-col gap-6 lg:flex-row">
        <Transcript turns={detail.turns} moments={items} player={player} />
        <div className="flex w-full flex-col gap-4 lg:w-80">
          <Recordings detail={detail} />
          <Summary callId={id} />
          <Facts detail={detail} moments={items} />
          {detail.hasRecord && <Replay callId={id} />}
        </div>
      </div>
    </div>
  )
}
