import {
  Text,
  UNSTABLE_Toast as Toast,
  UNSTABLE_ToastContent as ToastContent,
  UNSTABLE_ToastRegion as ToastRegion,
} from 'react-aria-components'
import { useTranslations } from 'use-intl'
import { Act } from './buttons.tsx'
import { Icon } from './icon.tsx'
import { notices } from './notice-queue.ts'

/** What was done last, each with its way back, at the lower edge of the screen. */
export function Notices() {
  const t = useTranslations('state')
  return (
    <ToastRegion
      queue={notices}
      aria-label={t('notices')}
      className="fixed inset-x-3 bottom-20 z-50 flex flex-col items-center gap-2 outline-none md:bottom-6"
    >
      {({ toast }) => (
        <Toast
          toast={toast}
          className="flex w-full max-w-md items-center gap-3 rounded-xl border border-line bg-ink px-4 py-2 text-page shadow-lg"
        >
          <ToastContent className="min-w-0 flex-1">
            <Text slot="title">{toast.content.text}</Text>
          </ToastContent>
          <Act
            className="!border-current !bg-transparent !text-page"
            onPress={() => {
              toast.content.undo()
              notices.close(toast.key)
            }}
          >
            {t('undo')}
          </Act>
          <Act slot="close" look="quiet" className="!text-page" aria-label={t('close')}>
            <Icon name="cross" />
          </Act>
        </Toast>
      )}
    </ToastRegion>
  )
}
