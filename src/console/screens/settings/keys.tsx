import { useInfiniteQuery, useMutation } from '@tanstack/react-query'
import { useTranslations } from 'use-intl'
import { useAccess } from '../../app/access.ts'
import { mutation, pages, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { Copyable } from '../../ui/copy.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { MoreRow } from '../../ui/more.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { Ago } from '../../ui/values.tsx'

const SCOPES = ['read', 'write', 'admin'] as const

export function KeySettings() {
  const t = useTranslations('keys')
  const settings = useTranslations('settings')
  const state = useTranslations('state')
  const { may } = useAccess()
  const keys = useInfiniteQuery(pages('keys.list', { limit: 50 }))
  const items = keys.data?.pages.flatMap((page) => page.items) ?? []
  const done = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['keys'] }) }
  const revoke = useMutation({ ...mutation('keys.revoke'), ...done })
  return (
    <Panel title={settings('keys')}>
      <p className="text-muted">{t('intro')}</p>
      {may('owner') && <NewKey />}
      <Problem error={revoke.error} />
      <Loaded of={keys}>
        {() =>
          items.length === 0 ? (
            <Empty>{t('empty')}</Empty>
          ) : (
            <ul aria-label={settings('keys')} className="flex flex-col gap-2">
              {items.map((key) => (
                <li key={key.id} className="flex flex-wrap items-center gap-3 rounded-lg border border-line p-3">
                  <span className="min-w-0 flex-1">
                    <bdi className="block truncate font-medium">{key.name}</bdi>
                    <span className="flex flex-wrap gap-x-2 text-muted text-sm">
                      <code dir="ltr">{key.prefix}…</code>
                      <span>{t(key.scope)}</span>
                      {key.operator && <span>{t('operator')}</span>}
                      <span>
                        {t('lastUsed')} {key.lastUsedAt ? <Ago at={key.lastUsedAt} /> : state('never')}
                      </span>
                    </span>
                  </span>
                  {key.revokedAt ? (
                    <span className="text-danger">
                      {t('revoked')} <Ago at={key.revokedAt} />
                    </span>
                  ) : (
                    may('owner') && (
                      <Confirm
                        label={t('revoke')}
                        question={t('revokeQuestion')}
                        onConfirm={() => revoke.mutate({ id: key.id })}
                      />
                    )
                  )}
                </li>
              ))}
              <MoreRow of={keys} />
            </ul>
          )
        }
      </Loaded>
    </Panel>
  )
}

function NewKey() {
  const t = useTranslations('keys')
  const { operator } = useAccess()
  const create = useMutation({
    ...mutation('keys.create'),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['keys'] }),
  })
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault()
        const element = event.currentTarget
        const form = new FormData(element)
        const scope = SCOPES.find((each) => each === form.get('scope')) ?? 'read'
        create.mutate(
          { name: String(form.get('name')), scope, operator: form.get('operator') === 'on' },
          { onSuccess: () => element.reset() },
        )
      }}
    >
      <Field label={t('name')} hint={t('nameHint')}>
        {(className) => <input name="name" dir="auto" required maxLength={120} className={className} />}
      </Field>
      <fieldset className="flex flex-col gap-2">
        <legend className="font-medium">{t('scope')}</legend>
        {SCOPES.map((scope) => (
          <label key={scope} className="flex items-center gap-2">
            <input type="radio" name="scope" value={scope} defaultChecked={scope === 'read'} />
            {t(scope)}
          </label>
        ))}
      </fieldset>
      {operator && (
        <label className="flex items-center gap-2">
          <input type="checkbox" name="operator" />
          {t('operatorHint')}
        </label>
      )}
      <Problem error={create.error} />
      {create.data && <Copyable label={t('once')} value={create.data.key} />}
      <Act type="submit" look="main" className="self-start" isDisabled={create.isPending}>
        {t('create')}
      </Act>
    </form>
  )
}
