import { useTranslations } from 'use-intl'
import { Act } from './buttons.tsx'

type List = { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage(): unknown }

/** Loads the next page of a list; nothing where there is none. */
export function More({ of, className }: { of: List; className?: string }) {
  const t = useTranslations('state')
  if (!of.hasNextPage) return null
  return (
    <Act
      className={className ?? 'self-start'}
      isDisabled={of.isFetchingNextPage}
      onPress={() => void of.fetchNextPage()}
    >
      {t('more')}
    </Act>
  )
}

/** The same, as the last entry of a list. */
export function MoreRow({ of }: { of: List }) {
  if (!of.hasNextPage) return null
  return (
    <li className="p-3 text-center">
      <More of={of} />
    </li>
  )
}
