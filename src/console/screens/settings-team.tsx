import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query'
import { useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { mutation, type Out, pages, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Confirm } from '../ui/confirm.tsx'
import { Copyable } from '../ui/copy.tsx'
import { Field, Panel, Problem } from '../ui/fields.tsx'
import { MoreRow } from '../ui/more.tsx'
import { Loaded } from '../ui/states.tsx'
import { isolated } from '../ui/values.tsx'

type Member = Out<'members.list'>['items'][number]
const ROLES = ['owner', 'manager', 'agent', 'viewer'] as const
const roleOf = (value: unknown) => ROLES.find((each) => each === value) ?? 'viewer'
const again = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['members'] }) }

export function TeamSettings() {
  const t = useTranslations('settings')
  const { may } = useAccess()
  const members = useInfiniteQuery(pages('members.list', { limit: 50 }))
  const items = members.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <Panel title={t('team')}>
      <Loaded of={members}>
        {() => (
          <ul aria-label={t('team')} className="flex flex-col gap-2">
            {items.map((member) => (
              <MemberRow key={member.id} member={member} />
            ))}
            <MoreRow of={members} />
          </ul>
        )}
      </Loaded>
      {may('owner') && (
        <>
          <SecondFactorRule />
          <Invitations />
          <Invite />
        </>
      )}
    </Panel>
  )
}

function MemberRow({ member }: { member: Member }) {
  const t = useTranslations('settings')
  const { may } = useAccess()
  const me = useQuery(query('account.me'))
  const setRole = useMutation({ ...mutation('members.setRole'), ...again })
  const remove = useMutation({ ...mutation('members.remove'), ...again })
  const name = member.name || member.email
  const isMe = me.data?.user?.id === member.userId
  return (
    <li className="flex flex-wrap items-center gap-3 rounded-lg border border-line p-3">
      <span className="min-w-0 flex-1">
        <bdi className="block truncate">{name}</bdi>
        <span className="flex flex-wrap gap-x-2 text-muted text-sm">
          <bdi dir="ltr" className="truncate">
            {member.email}
          </bdi>
          {isMe && <span>({t('you')})</span>}
          {member.twoFactorEnabled && <span>{t('secondFactorOn')}</span>}
        </span>
      </span>
      {may('owner') ? (
        <>
          <select
            aria-label={t('roleOf', { name })}
            value={member.role}
            disabled={setRole.isPending}
            onChange={(event) => setRole.mutate({ id: member.id, role: roleOf(event.target.value) })}
            className="rounded-lg border border-line bg-page px-2 py-1"
          >
            {ROLES.map((role) => (
              <option key={role} value={role}>
                {t(role)}
              </option>
            ))}
          </select>
          {!isMe && (
            <Confirm
              label={t('removeMember')}
              question={t('removeMemberQuestion', { name: isolated(name) })}
              onConfirm={() => remove.mutate({ id: member.id })}
            />
          )}
        </>
      ) : (
        <span className="text-muted">{t(member.role)}</span>
      )}
      <Problem error={setRole.error ?? remove.error} />
    </li>
  )
}

function SecondFactorRule() {
  const t = useTranslations('settings')
  const business = useQuery(query('businesses.get'))
  const change = useMutation({
    ...mutation('members.requireSecondFactor'),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['businesses'] }),
  })
  return (
    <>
      <label className="flex items-center gap-2">
        <input
          type="checkbox"
          checked={business.data?.ownersNeedSecondFactor ?? false}
          disabled={!business.data || change.isPending}
          onChange={(event) => change.mutate({ required: event.target.checked })}
        />
        {t('ownersNeedSecondFactor')}
      </label>
      <Problem error={change.error} />
    </>
  )
}

function Invitations() {
  const t = useTranslations('settings')
  const invitations = useQuery(query('members.invitations', { limit: 200 }))
  const revoke = useMutation({ ...mutation('members.revokeInvitation'), ...again })
  const resend = useMutation(mutation('members.resendInvitation'))
  const items = invitations.data?.items ?? []
  if (items.length === 0) return null
  return (
    <>
      <h3 className="font-semibold">{t('invitations')}</h3>
      <ul aria-label={t('invitations')} className="flex flex-col gap-2">
        {items.map((invitation) => (
          <li key={invitation.id} className="flex flex-wrap items-center gap-3 rounded-lg border border-line p-3">
            <bdi className="min-w-0 flex-1 truncate">{invitation.email}</bdi>
            <span className="text-muted">{t(invitation.role)}</span>
            <Act onPress={() => resend.mutate({ id: invitation.id })}>{t('resend')}</Act>
            <Act onPress={() => revoke.mutate({ id: invitation.id })}>{t('revoke')}</Act>
          </li>
        ))}
      </ul>
      {resend.data?.link && <Copyable label={t('link')} value={resend.data.link} />}
      <Problem error={revoke.error ?? resend.error} />
    </>
  )
}

function Invite() {
  const t = useTranslations('settings')
  const invite = useMutation({ ...mutation('members.invite'), ...again })
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault()
        const element = event.currentTarget
        const form = new FormData(element)
        invite.mutate(
          { email: String(form.get('email')), role: roleOf(form.get('role')) },
          { onSuccess: () => element.reset() },
        )
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
      <Problem error={invite.error} />
      {invite.data?.link && <Copyable label={t('link')} value={invite.data.link} />}
      <Act type="submit" className="self-start">
        {t('invite')}
      </Act>
    </form>
  )
}
