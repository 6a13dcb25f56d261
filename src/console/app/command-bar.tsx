import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import {
  Autocomplete,
  Dialog,
  Input,
  ListBox,
  ListBoxItem,
  Modal,
  ModalOverlay,
  SearchField,
} from 'react-aria-components'
import { useTranslations } from 'use-intl'
import { Icon, type IconName } from '../ui/icon.tsx'
import { Popup } from '../ui/popup.tsx'
import { Phone } from '../ui/values.tsx'
import { type Action, keyName, useOfferedActions } from './actions.ts'
import { PLACES } from './places.ts'
import { query } from './trpc.ts'

type Command = { id: string; text: string; shown: ReactNode; icon: IconName; key?: string | undefined; run(): void }

/** Everything by its name: screens, actions of the screen, contacts, calls. */
export function CommandBar({ onClose }: { onClose(): void }) {
  const t = useTranslations('commands')
  const [text, setText] = useState('')
  const commands = useCommands(text.trim())
  return (
    <ModalOverlay
      isOpen
      onOpenChange={(open) => !open && onClose()}
      isDismissable
      className="fixed inset-0 z-40 flex items-start justify-center bg-black/40 p-3 sm:pt-24"
    >
      <Modal className="w-full max-w-xl overflow-hidden rounded-2xl border border-line bg-surface shadow-xl">
        <Dialog aria-label={t('title')} className="flex max-h-[70vh] flex-col outline-none">
          <Autocomplete inputValue={text} onInputChange={setText} disableVirtualFocus={false}>
            <SearchField
              aria-label={t('search')}
              autoFocus
              className="flex items-center gap-2 border-line border-b p-3"
            >
              <Icon name="search" className="text-muted" />
              <Input dir="auto" placeholder={t('search')} className="min-w-0 flex-1 bg-transparent outline-none" />
            </SearchField>
            <ListBox
              // The focus stays in the text; a list that scrolls must be reached by the keyboard all the same.
              ref={(element) => {
                if (element) element.tabIndex = 0
              }}
              aria-label={t('title')}
              items={commands}
              className="min-h-24 overflow-y-auto p-2"
              renderEmptyState={() => <p className="p-3 text-muted">{t('nothing')}</p>}
              onAction={(id) => {
                onClose()
                commands.find((command) => command.id === id)?.run()
              }}
            >
              {(command) => (
                <ListBoxItem
                  textValue={command.text}
                  className="flex cursor-pointer items-center gap-3 rounded-lg px-3 py-2 outline-none data-[focused]:bg-accent-soft data-[hovered]:bg-raised"
                >
                  <Icon name={command.icon} className="text-muted" />
                  <span className="min-w-0 flex-1 truncate">{command.shown}</span>
                  {command.key && <Key name={command.key} />}
                </ListBoxItem>
              )}
            </ListBox>
          </Autocomplete>
        </Dialog>
      </Modal>
    </ModalOverlay>
  )
}

function useCommands(text: string): Command[] {
  const t = useTranslations('nav')
  const navigate = useNavigate()
  const actions = useOfferedActions()
  const me = useQuery(query('account.me'))
  const found = useQuery({
    ...query('search.all', { q: text, kinds: ['contacts', 'calls'], limit: 8 }),
    enabled: text.length > 1,
    placeholderData: (old) => old,
  })
  const fits = (name: string) => name.toLocaleLowerCase().includes(text.toLocaleLowerCase())
  const people = text.length > 1 ? (found.data?.contacts ?? []) : []
  const calls = text.length > 1 ? (found.data?.calls ?? []) : []
  return [
    ...actions.filter(({ label }) => fits(label)).map((action) => ofAction(action)),
    ...PLACES.filter(({ to, name }) => fits(t(name)) && (to !== '/health' || me.data?.operator)).map(
      ({ to, name, icon }) => ({
        ...{ id: to, text: t(name), shown: t(name), icon },
        run: () => void navigate({ to }),
      }),
    ),
    ...people.map(({ id, name, phone }) => ({
      ...{ id, text: name ?? phone ?? '', icon: 'people' as const },
      shown: (
        <>
          <bdi>{name}</bdi> {phone && <Phone value={phone} />}
        </>
      ),
      run: () => void navigate({ to: '/inbox', search: { view: 'all', contact: id } }),
    })),
    ...calls.map(({ id, contactName, text: said }) => ({
      ...{ id: `call-${id}`, text: said, icon: 'phone' as const },
      shown: (
        <>
          <bdi>{contactName}</bdi> <bdi className="text-muted">{said}</bdi>
        </>
      ),
      run: () => void navigate({ to: '/calls/$callId', params: { callId: id } }),
    })),
  ]
}

const ofAction = ({ id, label, key, run }: Action): Command => ({
  ...{ id, text: label, shown: label, icon: 'check', key },
  // The dialog gives the focus back when it is gone; what an action does with it comes after that.
  run: () => void setTimeout(run, 50),
})

export function KeyList({ onClose }: { onClose(): void }) {
  const t = useTranslations('commands')
  const actions = useOfferedActions()
  return (
    <Popup title={t('keys')} isOpen onClose={onClose}>
      <dl className="grid grid-cols-[1fr_auto] gap-x-6 gap-y-2">
        <dt>{t('title')}</dt>
        <dd>
          <Key name="Ctrl K" />
        </dd>
        <dt>{t('arrows')}</dt>
        <dd>
          <Key name="↑ ↓" />
        </dd>
        {actions.flatMap(({ id, label, key }) =>
          key
            ? [
                <dt key={`${id}-name`}>{label}</dt>,
                <dd key={id}>
                  <Key name={key} />
                </dd>,
              ]
            : [],
        )}
      </dl>
    </Popup>
  )
}

const Key = ({ name }: { name: string }) => (
  <kbd dir="ltr" className="rounded-md border border-line bg-raised px-2 py-0.5 font-sans text-sm">
    {keyName(name)}
  </kbd>
)
