import type { ReactNode } from 'react'
import { Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components'
import { useTranslations } from 'use-intl'
import { Act } from './buttons.tsx'
import { Icon } from './icon.tsx'

/** A dialog over the page; on a phone it takes the lower part of the screen. */
export function Popup({
  title,
  isOpen,
  onClose,
  children,
}: {
  title: string
  isOpen: boolean
  onClose(): void
  children: ReactNode
}) {
  const t = useTranslations('state')
  return (
    <ModalOverlay
      isOpen={isOpen}
      onOpenChange={(open) => !open && onClose()}
      isDismissable
      className="fixed inset-0 z-30 flex items-end justify-center bg-black/40 sm:items-center"
    >
      <Modal className="max-h-[90%] w-full overflow-y-auto rounded-t-2xl border border-line bg-surface sm:max-w-lg sm:rounded-2xl">
        <Dialog className="flex flex-col gap-4 p-4 outline-none">
          <div className="flex items-center gap-2">
            <Heading slot="title" className="flex-1 font-bold text-lg">
              <bdi>{title}</bdi>
            </Heading>
            <Act look="quiet" aria-label={t('close')} onPress={onClose}>
              <Icon name="cross" />
            </Act>
          </div>
          {children}
        </Dialog>
      </Modal>
    </ModalOverlay>
  )
}
