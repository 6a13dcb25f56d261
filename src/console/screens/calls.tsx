import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslations } from 'use-intl'
import { pages } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Icon } from '../ui/icon.tsx'
import { Empty, Heading, Loaded } from '../ui/states.tsx'
import { Ago, Duration, Phone } from '../ui/values.tsx'

export function Calls() {
  const t = useTranslations()
  const list = useInfiniteQuery(pages('calls.list', { limit: 50 }))
  const items = list.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <>
      <Heading>{t('call.list')}</Heading>
      <div className="min-h-0 flex-1 overflow-y-auto">
        <Loaded of={list}>
          {() =>
            items.length === 0 ? (
              <Empty>{t('call.empty')}</Empty>
            ) : (
              <ul>
                {items.map((call) => (
                  <li key={call.id}>
                    <Link
                      to="/calls/$callId"
                      params={{ callId: call.id }}
                      className="flex items-center gap-3 border-line border-b px-4 py-3 hover:bg-raised"
                    >
                      <Icon name="phone" className={call.state === 'live' ? 'text-accent' : 'text-muted'} />
                      <span className="min-w-0 flex-1">
                        <span className="block truncate">
                          {call.contactName ? <bdi>{call.contactName}</bdi> : <Phone value={call.from} />}
                        </span>
                        <span className="block text-muted text-sm">
                          {call.state === 'ended'
                            ? t(call.answeredBy === 'voicemail' ? 'call.voicemail' : 'call.agent')
                            : t(`call.${call.state}`)}
                        </span>
                      </span>
                      {call.durationMs !== null && <Duration ms={call.durationMs} />}
                      <Ago at={call.startedAt} className="text-muted text-sm" />
                    </Link>
                  </li>
                ))}
                {list.hasNextPage && (
                  <li className="p-3 text-center">
                    <Act onPress={() => void list.fetchNextPage()}>{t('state.more')}</Act>
                  </li>
                )}
              </ul>
            )
          }
        </Loaded>
      </div>
    </>
  )
}
