import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useTranslations } from 'use-intl'
import { isSame } from '../../lib/merge.ts'
import { useAccess } from '../app/access.ts'
import { Panel } from '../ui/fields.tsx'
import { Loaded } from '../ui/states.tsx'
import { Difference } from './receptionist/difference.tsx'
import { contentOf, type DraftEditing, useDraft } from './receptionist/draft.ts'
import { DraftBar } from './receptionist/draft-bar.tsx'
import { Edit } from './receptionist/edit.tsx'
import { History } from './receptionist/history.tsx'
import { Scenarios } from './receptionist/scenarios.tsx'
import { TestCallPanel } from './receptionist/test-call.tsx'
import { TestChatPanel } from './receptionist/test-chat.tsx'

const route = getRouteApi('/settings')
const TABS = ['edit', 'difference', 'test', 'scenarios', 'history'] as const
type Tab = (typeof TABS)[number]

/** Draft, difference, test, publish, history: what the receptionist says and does. */
export function ReceptionistSettings() {
  const t = useTranslations('receptionist')
  const navigate = useNavigate({ from: '/settings' })
  const { tab: wanted } = route.useSearch()
  const tab = TABS.find((each) => each === wanted) ?? 'edit'
  const editing = useDraft()
  const mayEdit = useAccess().may('manager')
  return (
    <>
      <nav aria-label={t('tabs')} className="flex flex-wrap gap-1">
        {TABS.map((name) => (
          <button
            key={name}
            type="button"
            aria-current={tab === name ? 'page' : undefined}
            onClick={() => void navigate({ search: { part: 'receptionist', tab: name } })}
            className="rounded-lg border border-line px-3 py-1 hover:bg-raised aria-[current=page]:bg-accent-soft"
          >
            {t(name)}
          </button>
        ))}
      </nav>
      <Loaded of={editing.found}>
        {() => (
          <>
            <DraftBar editing={editing} mayEdit={mayEdit} />
            <Part tab={tab} editing={editing} mayEdit={mayEdit} />
          </>
        )}
      </Loaded>
    </>
  )
}

function Part({ tab, editing, mayEdit }: { tab: Tab; editing: DraftEditing; mayEdit: boolean }) {
  const t = useTranslations('receptionist')
  if (!editing.state) return null
  const { seen, mine } = editing.state
  const live = contentOf(seen.live)
  switch (tab) {
    case 'edit':
      return <Edit editing={editing} content={mine} mayEdit={mayEdit} />
    case 'difference':
      return (
        <Panel title={t('difference')}>
          <Difference before={live} after={mine} same={t('same')} />
        </Panel>
      )
    case 'test':
      return (
        <>
          <TestCallPanel title={t('test')} hasDraft={!isSame(live, mine)} saved={editing.saved} />
          {mayEdit && <TestChatPanel hasDraft={!isSame(live, mine)} saved={editing.saved} />}
        </>
      )
    case 'scenarios':
      return <Scenarios hasDraft={!isSame(live, mine)} mayEdit={mayEdit} saved={editing.saved} />
    case 'history':
      return <History live={seen.live.version} mayEdit={mayEdit} />
  }
}
