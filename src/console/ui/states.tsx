import type { UseInfiniteQueryResult, UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { Button } from 'react-aria-components'
import { useTranslations } from 'use-intl'
import { statusOf } from '../app/trpc.ts'

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
  if (of.isPending)
    return (
      <p role="status" className="p-6 text-muted">
        {t('loading')}
      </p>
    )
  if (of.isError && of.data === undefined)
    return (
      <div role="alert" className="flex flex-col items-start gap-3 p-6">
        <p>{statusOf(of.error) === 403 ? t('forbidden') : t('failed')}</p>
        <Button className="rounded-lg border border-line px-3 py-1 hover:bg-raised" onPress={() => void of.refetch()}>
          {t('retry')}
        </Button>
      </div>
    )
  return <>{of.data === undefined ? (empty ?? null) : children(of.data)}</>
}

export const Empty = ({ children }: { children: ReactNode }) => <p className="p-6 text-muted">{children}</p>

export function Heading({ children, aside, level = 1 }: { children: ReactNode; aside?: ReactNode; level?: 1 | 2 }) {
  const Title = level === 1 ? 'h1' : 'h2'
  return (
    <header className="flex min-h-14 shrink-0 flex-wrap items-center gap-3 border-line border-b bg-surface px-4 py-2">
      <Title className="font-bold text-xl">{children}</Title>
      {aside}
    </header>
  )
}
