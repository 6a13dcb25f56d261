import { type ErrorComponentProps, Link } from '@tanstack/react-router'
import { useTranslations } from 'use-intl'
import { Act } from '../ui/buttons.tsx'
import { Heading } from '../ui/states.tsx'

/** A screen that broke: what to do, and the error for a report of it. */
export function ScreenFailed({ error, reset }: ErrorComponentProps) {
  const t = useTranslations('state')
  return (
    <>
      <Heading>{t('broken')}</Heading>
      <div role="alert" className="flex flex-col items-start gap-3 p-6">
        <p>{t('brokenHint')}</p>
        <pre dir="ltr" className="max-w-full overflow-x-auto rounded-lg bg-raised p-3 text-sm">
          {error instanceof Error ? error.message : String(error)}
        </pre>
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
