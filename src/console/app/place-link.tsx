import { Link } from '@tanstack/react-router'
import { useTranslations } from 'use-intl'
import { Icon } from '../ui/icon.tsx'
import type { Place } from './places.ts'

/** Of a link, and of the button for more, in the navigation: below one another on a phone, beside one another elsewhere. */
export const PLACE_LOOK =
  'flex w-full flex-col items-center gap-1 rounded-lg px-1 py-2 text-muted text-xs hover:bg-raised md:flex-row md:gap-3 md:px-3 md:text-base'

export function PlaceLink({ place: { to, name, icon }, onFollow }: { place: Place; onFollow?: () => void }) {
  const t = useTranslations('nav')
  return (
    <Link
      to={to}
      onClick={onFollow}
      className={PLACE_LOOK}
      activeProps={{ className: 'bg-accent-soft font-semibold !text-ink', 'aria-current': 'page' }}
    >
      <Icon name={icon} />
      {t(name)}
    </Link>
  )
}
