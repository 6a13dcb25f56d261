import { useMutation, useQuery } from '@tanstack/react-query'
import { useTranslations } from 'use-intl'
import { mutation, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Field, Panel, Problem } from '../ui/fields.tsx'
import { Loaded } from '../ui/states.tsx'

const ROLES = ['owner', 'manager', 'agent', 'viewer'] as const

export function TeamSettings() {
  const t = useTranslations('settings')
  const members = useQuery(query('members.list', {}))
  const invitations = useQuery(query('members.invitations', {}))
  const done = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['members'] }) }
  const invite = useMutation({ ...mutation('members.invite'), ...done })
  const revoke = useMutation({ ...mutation('members.revokeInvitation'), ...done })
  return (
    <Panel title={t('team')}>
      <Loaded of={members}>
        {({ items }) => (
          <ul className="flex flex-col gap-2">
            {items.map((member) => (
              <li key={member.id} className="flex flex-wrap items-center gap-3 rounded-lg border border-line p-3">
                <bdi className="min-w-0 flex-1 truncate">{member.name || member.email}</bdi>
                <span className="text-muted">{t(member.role)}</span>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
      {invitations.data && invitations.data.items.length > 0 && (
        <>
          <h3 className="font-semibold">{t('invitations')}</h3>
          <ul className="flex flex-col gap-2">
            {invitations.data.items.map((invitation) => (
              <li key={invitation.id} className="flex flex-wrap items-center gap-3 rounded-lg border border-line p-3">
                <bdi className="min-w-0 flex-1 truncate">{invitation.email}</bdi>
                <span className="text-muted">{t(invitation.role)}</span>
                <Act onPress={() => revoke.mutate({ id: invitation.id })}>{t('revoke')}</Act>
              </li>
            ))}
          </ul>
        </>
      )}
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          const element = event.currentTarget
          const form = new FormData(element)
          const role = ROLES.find((each) => each === form.get('role')) ?? 'viewer'
          invite.mutate({ email: String(form.get('email')), role }, { onSuccess: () => element.reset() })
        }}
      >
        <Field label={t('email')}>
          {(className) => <input name="email" type="email" dir="ltr" required className={className} />}
        </Field>
        <Field label={t('role')}>
          {(className) => (
            <select name="role" defaultValue="agent" className={className}>
              {ROLES.map((role) => (
                <option key={role} value={role}>
                  {t(role)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Problem error={invite.error ?? revoke.error} />
        {invite.data?.link && (
          <p role="status" className="break-all rounded-lg bg-accent-soft p-3">
            {t('link')} <bdi dir="ltr">{invite.data.link}</bdi>
          </p>
        )}
        <Act type="submit" className="self-start">
          {t('invite')}
        </Act>
      </form>
    </Panel>
  )
}
