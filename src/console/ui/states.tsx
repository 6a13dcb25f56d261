import type { UseInfiniteQueryResult, UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Button } from 'react-aria-components'
import { useTranslations } from 'use-intl'
import { openCommands } from '../app/actions.ts'
import { statusOf } from '../app/trpc.ts'
import { Act } from './buttons.tsx'
import { Icon, type IconName } from './icon.tsx'

/** What is shown while something loads, when it failed, and when there is nothing. */
export function Loaded<T>({
  of,
  empty,
  children,
}: {
  of: UseQueryResult<T> | UseInfiniteQueryResult<T>
  empty?: ReactNode
  children(data: T): ReactNode
}) {
  const t = useTranslations('state')
  if (of.isPending && of.fetchStatus === 'paused')
    return <NotLoaded onRetry={() => void of.refetch()}>{t('unreachable')}</NotLoaded>
  if (of.isPending)
    return (
      <p role="status" className="p-6 text-muted">
        {t('loading')}
      </p>
    )
  if (of.isError && of.data === undefined) return <LoadFailed error={of.error} onRetry={() => void of.refetch()} />
  return <>{of.data === undefined ? (empty ?? null) : children(of.data)}</>
}

/** Why something was not loaded, in words that say what to do. */
function reasonOf(error: unknown): 'forbidden' | 'gone' | 'unreachable' | 'failed' {
  const status = statusOf(error)
  if (status === 403) return 'forbidden'
  if (status === 404) return 'gone'
  return status === null ? 'unreachable' : 'failed'
}

/** What could not be loaded, and the way to try again. */
export function LoadFailed({ error, onRetry }: { error: unknown; onRetry(): void }) {
  const t = useTranslations('state')
  return <NotLoaded onRetry={onRetry}>{t(reasonOf(error))}</NotLoaded>
}

function NotLoaded({ children, onRetry }: { children: ReactNode; onRetry(): void }) {
  const t = useTranslations('state')
  return (
    <div role="alert" className="flex flex-col items-start gap-3 p-6">
      <p>{children}</p>
      <Button className="rounded-lg border border-line px-3 py-1 hover:bg-raised" onPress={onRetry}>
        {t('retry')}
      </Button>
    </div>
  )
}

/** What a list says that has nothing; alone on a screen with the icon of it. */
export const Empty = ({ children, icon }: { children: ReactNode; icon?: IconName }) => (
  <div
    className={`flex flex-col items-center gap-3 text-center text-muted ${icon ? 'm-auto max-w-sm p-8 pt-16' : 'p-6'}`}
  >
    {icon && <Icon name={icon} className="!size-10 text-accent opacity-60" />}
    <p>{children}</p>
  </div>
)

export function Heading({ children, aside, level = 1 }: { children: ReactNode; aside?: ReactNode; level?: 1 | 2 }) {
  const t = useTranslations('commands')
  const Title = level === 1 ? 'h1' : 'h2'
  return (
    <header className="flex min-h-14 shrink-0 flex-wrap items-center gap-3 border-line border-b bg-surface px-4 py-2">
      <Title className="font-bold text-xl">{children}</Title>
      {/* On a wide screen it is in the navigation. */}
      <Act look="quiet" aria-label={t('find')} className="md:hidden" onPress={openCommands}>
        <Icon name="search" />
      </Act>
      {aside}
    </header>
  )
}
