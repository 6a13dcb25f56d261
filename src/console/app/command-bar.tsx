import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type KeyboardEvent, type ReactNode, useState } from 'react'
import { Dialog, Modal, ModalOverlay } from 'react-aria-components'
import { useTranslations } from 'use-intl'
import { Icon, type IconName } from '../ui/icon.tsx'
import { Popup } from '../ui/popup.tsx'
import { Phone } from '../ui/values.tsx'
import { type Action, keyName, useOfferedActions } from './actions.ts'
import { PLACES } from './places.ts'
import { query } from './trpc.ts'

type Command = { id: string; text: string; shown: ReactNode; icon: IconName; key?: string | undefined; run(): void }

/** Everything by its name: screens, actions of the screen, contacts, calls. The first one is done by Enter. */
export function CommandBar({ onClose }: { onClose(): void }) {
  const t = useTranslations('commands')
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const commands = useCommands(text.trim())
  const chosen = commands[Math.min(at, commands.length - 1)]
  const run = (command: Command | undefined) => {
    if (!command) return
    onClose()
    command.run()
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step !== 0) setAt((old) => Math.max(0, Math.min(old + step, commands.length - 1)))
    else if (event.key === 'Enter' && !event.nativeEvent.isComposing) run(chosen)
    else return
    event.preventDefault()
  }
  return (
    <ModalOverlay
      isOpen
      onOpenChange={(open) => !open && onClose()}
      isDismissable
      className="fixed inset-0 z-40 flex items-start justify-center bg-black/40 p-3 sm:pt-24"
    >
      <Modal className="w-full max-w-xl overflow-hidden rounded-2xl border border-line bg-surface shadow-xl">
        <Dialog aria-label={t('title')} className="flex max-h-[70vh] flex-col outline-none">
          <div className="flex items-center gap-2 border-line border-b p-3">
            <Icon name="search" className="text-muted" />
            <input
              autoFocus
              dir="auto"
              role="combobox"
              aria-expanded="true"
              aria-controls="commands"
              aria-activedescendant={chosen && `command-${chosen.id}`}
              aria-label={t('search')}
              placeholder={t('search')}
              value={text}
              onChange={(event) => {
                setText(event.target.value)
                setAt(0)
              }}
              onKeyDown={onKeyDown}
              className="min-w-0 flex-1 bg-transparent outline-none"
            />
          </div>
          <CommandList commands={commands} chosen={chosen} onRun={run} />
        </Dialog>
      </Modal>
    </ModalOverlay>
  )
}

function CommandList({
  commands,
  chosen,
  onRun,
}: {
  commands: Command[]
  chosen: Command | undefined
  onRun(command: Command): void
}) {
  const t = useTranslations('commands')
  if (commands.length === 0) return <p className="p-4 text-muted">{t('nothing')}</p>
  return (
    // A region that scrolls must be reached by the keyboard.
    <div id="commands" role="listbox" tabIndex={0} aria-label={t('title')} className="overflow-y-auto p-2">
      {commands.map((command) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the text field has the keys
        <div
          key={command.id}
          id={`command-${command.id}`}
          role="option"
          tabIndex={-1}
          aria-selected={command === chosen}
          ref={(element) => {
            if (command === chosen) element?.scrollIntoView({ block: 'nearest' })
          }}
          onClick={() => onRun(command)}
          className="flex cursor-pointer items-center gap-3 rounded-lg px-3 py-2 hover:bg-raised aria-selected:bg-accent-soft"
        >
          <Icon name={command.icon} className="text-muted" />
          <span className="min-w-0 flex-1 truncate">{command.shown}</span>
          {command.key && <Key name={command.key} />}
        </div>
      ))}
    </div>
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
