import { useTranslations } from 'use-intl'
import { Popup } from '../ui/popup.tsx'
import { Account } from './account.tsx'
import { PlaceLink } from './place-link.tsx'
import type { Place } from './places.ts'

/** The places that a phone's navigation has no room for, and what belongs to the member. */
export function MorePlaces({ places, onClose }: { places: Place[]; onClose(): void }) {
  const t = useTranslations('nav')
  return (
    <Popup title={t('more')} isOpen onClose={onClose}>
      <nav aria-label={t('more')}>
        <ul className="grid grid-cols-3 gap-2">
          {places.map((place) => (
            <li key={place.to}>
              <PlaceLink place={place} onFollow={onClose} />
            </li>
          ))}
        </ul>
      </nav>
      <Account className="flex border-line border-t pt-4" />
    </Popup>
  )
}
