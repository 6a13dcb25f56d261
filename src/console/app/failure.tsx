import { type ErrorComponentProps, Link } from '@tanstack/react-router'
import { useTranslations } from 'use-intl'
import { Act } from '../ui/buttons.tsx'
import { Heading } from '../ui/states.tsx'

/** How Chromium, Firefox and Safari say that a part of the console could not be fetched. */
const NOT_LOADED = /dynamically imported module|importing a module script failed/i

/** A screen that broke: what to do, and the error for a report of it. */
export function ScreenFailed({ error, reset }: ErrorComponentProps) {
  const t = useTranslations('state')
  const message = error instanceof Error ? error.message : String(error)
  const isUnreachable = NOT_LOADED.test(message)
  return (
    <>
      <Heading>{t('broken')}</Heading>
      <div role="alert" className="flex flex-col items-start gap-3 p-6">
        <p>{t(isUnreachable ? 'unreachable' : 'brokenHint')}</p>
        {!isUnreachable && (
          <pre dir="ltr" className="max-w-full overflow-x-auto rounded-lg bg-raised p-3 text-sm">
            {message}
          </pre>
        )}
        <Act
          onPress={() => {
            reset()
            location.reload()
          }}
        >
          {t('reload')}
        </Act>
      </div>
    </>
  )
}

export function NoSuchScreen() {
  const t = useTranslations('state')
  return (
    <>
      <Heading>{t('noScreen')}</Heading>
      <p className="p-6">
        <Link to="/today" className="text-accent underline">
          {t('toToday')}
        </Link>
      </p>
    </>
  )
}
