import { useMutation, useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { useFormatter, useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { below } from '../app/base.ts'
import { useFindingText } from '../app/errors.ts'
import { mutation, type Out, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Field, Problem } from '../ui/fields.tsx'
import { Heading, Loaded } from '../ui/states.tsx'
import { Ago } from '../ui/values.tsx'

type Finding = Out<'system.doctor'>['items'][number]
type Business = Out<'businesses.list'>['items'][number]
const KINDS = ['web', 'crm', 'whatsapp', 'recordings'] as const
const LOOK_EVERY_MS = 5_000

/** For those who run the installation: whether it is well, and which businesses it serves. Their conversations are not shown. */
export function Health() {
  const t = useTranslations('health')
  const { operator } = useAccess()
  return (
    <>
      <Heading>{t('title')}</Heading>
      {operator ? (
        <div className="min-h-0 flex-1 overflow-y-auto p-4">
          <div className="grid gap-4 lg:grid-cols-2">
            <Processes />
            <Queues />
            <Doctor />
            <Businesses />
          </div>
        </div>
      ) : (
        <p className="p-6">{t('operatorOnly')}</p>
      )}
    </>
  )
}

function Card({ title, wide = false, children }: { title: string; wide?: boolean; children: ReactNode }) {
  return (
    <section
      className={`flex min-w-0 flex-col gap-3 rounded-xl border border-line bg-surface p-4 ${wide ? 'lg:col-span-2' : ''}`}
    >
      <h2 className="font-semibold">{title}</h2>
      {children}
    </section>
  )
}

function Processes() {
  const t = useTranslations('health')
  const processes = useQuery({ ...query('system.processes'), refetchInterval: LOOK_EVERY_MS })
  const backup = useQuery(query('system.backup'))
  return (
    <Card title={t('processes')}>
      <Loaded of={processes}>
        {(alive) => (
          <dl className="grid grid-cols-2 gap-3 sm:grid-cols-4">
            {KINDS.map((kind) => (
              <div key={kind} className={(alive[kind] ?? 0) === 0 ? 'text-danger' : ''}>
                <dt className="text-sm">{t(kind)}</dt>
                <dd className="text-2xl">{(alive[kind] ?? 0) === 0 ? t('down') : alive[kind]}</dd>
              </div>
            ))}
          </dl>
        )}
      </Loaded>
      <h3 className="font-medium">{t('backup')}</h3>
      <Loaded of={backup}>
        {(last) =>
          last ? (
            <p>
              <Ago at={last.at} />: {t('backupOf', { rows: last.rows, files: last.files })}
              {last.missing > 0 && <span className="text-warn"> {t('backupMissing', { count: last.missing })}</span>}
            </p>
          ) : (
            <p className="text-warn">{t('noBackup')}</p>
          )
        }
      </Loaded>
    </Card>
  )
}

function Queues() {
  const t = useTranslations('health')
  const format = useFormatter()
  const queues = useQuery({ ...query('system.queues'), refetchInterval: LOOK_EVERY_MS })
  return (
    <Card title={t('queues')}>
      <Loaded of={queues}>
        {({ items }) => (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard
          <section className="overflow-x-auto" aria-label={t('queues')} tabIndex={0}>
            <table className="w-full tabular-nums">
              <thead>
                <tr className="text-muted text-sm">
                  {(['name', 'waiting', 'active', 'delayed', 'failed'] as const).map((name) => (
                    <th key={name} scope="col" className="pe-3 text-start font-medium">
                      {t(name)}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {items.map((queue) => (
                  <tr key={queue.name} className="border-line border-t">
                    <th scope="row" className="py-1 pe-3 text-start font-medium">
                      <bdi>{queue.name}</bdi> {queue.paused && <span className="text-warn">({t('paused')})</span>}
                    </th>
                    <td className="py-1 pe-3">{format.number(queue.waiting)}</td>
                    <td className="py-1 pe-3">{format.number(queue.active)}</td>
                    <td className="py-1 pe-3">{format.number(queue.delayed)}</td>
                    <td className={`py-1 pe-3 ${queue.failed > 0 ? 'text-danger' : ''}`}>
                      {format.number(queue.failed)}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
        )}
      </Loaded>
      <a href={below('/admin/queues')} className="self-start text-accent underline">
        {t('board')}
      </a>
    </Card>
  )
}

const ORDER: Finding['state'][] = ['problem', 'warning', 'ok']

function Doctor() {
  const t = useTranslations('health')
  const textOf = useFindingText()
  const doctor = useQuery({ ...query('system.doctor'), staleTime: 60_000 })
  return (
    <Card title={t('doctor')} wide>
      <Loaded of={doctor}>
        {({ items }) => (
          <ul aria-label={t('doctor')} className="flex flex-col">
            {ORDER.flatMap((state) => items.filter((finding) => finding.state === state)).map((finding) => (
              <li
                key={`${finding.check} ${finding.found}`}
                className="flex flex-wrap gap-x-3 gap-y-1 border-line border-t py-2"
              >
                <span className={`w-20 shrink-0 ${COLORS[finding.state]}`}>{t(finding.state)}</span>
                <bdi dir="ltr" className="w-40 shrink-0 break-all font-medium">
                  {finding.check}
                </bdi>
                <span className="min-w-0 flex-1 basis-60 break-words">
                  {textOf({ code: finding.code, message: finding.found })}
                  <span dir="ltr" className="block text-muted text-sm [text-align:start]">
                    {finding.found}
                  </span>
                </span>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
      <Act className="self-start" isDisabled={doctor.isFetching} onPress={() => void doctor.refetch()}>
        {t('again')}
      </Act>
    </Card>
  )
}

const COLORS = { ok: 'text-accent', warning: 'text-warn', problem: 'text-danger' } as const

function Businesses() {
  const t = useTranslations('health')
  const businesses = useQuery(query('businesses.list'))
  const usage = useQuery(query('stats.businesses'))
  return (
    <Card title={t('businesses')} wide>
      <p className="text-muted text-sm">{t('businessesIntro')}</p>
      <Loaded of={businesses}>
        {({ items }) => (
          <ul aria-label={t('businesses')} className="flex flex-col">
            {items.map((business) => (
              <BusinessRow
                key={business.id}
                business={business}
                usage={usage.data?.items.find(({ businessId }) => businessId === business.id)}
              />
            ))}
          </ul>
        )}
      </Loaded>
      <NewBusiness />
    </Card>
  )
}

const again = {
  onSuccess: () =>
    Promise.all([
      queryClient.invalidateQueries({ queryKey: ['businesses'] }),
      queryClient.invalidateQueries({ queryKey: ['stats', 'businesses'] }),
    ]),
}

function BusinessRow({
  business,
  usage,
}: {
  business: Business
  usage: Out<'stats.businesses'>['items'][number] | undefined
}) {
  const t = useTranslations('health')
  const state = useTranslations('state')
  const format = useFormatter()
  const [asking, setAsking] = useState(false)
  const block = useMutation({ ...mutation('businesses.block'), ...again })
  const unblock = useMutation({ ...mutation('businesses.unblock'), ...again })
  const { id } = business
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 border-line border-t py-2">
      <span className="min-w-0 flex-1 basis-48">
        <bdi className="block truncate font-medium">{business.name}</bdi>
        {business.blockedAt && (
          <span className="block text-danger text-sm">
            {t('blocked')} <Ago at={business.blockedAt} />
            {business.blockedReason && (
              <>
                : <bdi>{business.blockedReason}</bdi>
              </>
            )}
          </span>
        )}
      </span>
      {usage && (
        <span className="text-muted text-sm">
          {t('used', {
            calls: format.number(usage.calls),
            messages: format.number(usage.messagesIn + usage.messagesOut),
          })}{' '}
          <bdi>{format.number(usage.costMicroUsd / 1_000_000, { style: 'currency', currency: 'USD' })}</bdi>
          {usage.accounts > 0 && (
            <span className={`block ${usage.accountsWorking < usage.accounts ? 'text-warn' : ''}`}>
              {t('accounts', { working: String(usage.accountsWorking), all: String(usage.accounts) })}
            </span>
          )}
        </span>
      )}
      {business.blockedAt ? (
        <Act isDisabled={unblock.isPending} onPress={() => unblock.mutate({ id })}>
          {t('unblock')}
        </Act>
      ) : (
        <Act aria-expanded={asking} onPress={() => setAsking(!asking)}>
          {t('block')}
        </Act>
      )}
      {asking && (
        <form
          className="flex basis-full flex-col gap-2"
          onSubmit={(event) => {
            event.preventDefault()
            const reason = String(new FormData(event.currentTarget).get('reason')).trim()
            block.mutate({ id, reason }, { onSuccess: () => setAsking(false) })
          }}
        >
          <Field label={t('reason')} hint={t('blockHint')}>
            {(className) => <input name="reason" dir="auto" required maxLength={500} className={className} />}
          </Field>
          <span className="flex gap-2">
            <Act type="submit" isDisabled={block.isPending}>
              {t('blockNow')}
            </Act>
            <Act look="quiet" onPress={() => setAsking(false)}>
              {state('cancel')}
            </Act>
          </span>
        </form>
      )}
      <Problem error={block.error ?? unblock.error} />
    </li>
  )
}

function NewBusiness() {
  const t = useTranslations('health')
  const settings = useTranslations('settings')
  const create = useMutation({ ...mutation('businesses.create'), ...again })
  return (
    <form
      className="flex flex-wrap items-end gap-3 border-line border-t pt-3"
      onSubmit={(event) => {
        event.preventDefault()
        const element = event.currentTarget
        const form = new FormData(element)
        create.mutate(
          { name: String(form.get('name')).trim(), language: form.get('language') === 'en' ? 'en' : 'he' },
          { onSuccess: () => element.reset() },
        )
      }}
    >
      <Field label={t('newBusiness')}>
        {(className) => <input name="name" dir="auto" required maxLength={120} className={className} />}
      </Field>
      <Field label={settings('languageOf')}>
        {(className) => (
          <select name="language" className={className}>
            <option value="he">{settings('hebrew')}</option>
            <option value="en">{settings('english')}</option>
          </select>
        )}
      </Field>
      <Act type="submit" isDisabled={create.isPending}>
        {t('create')}
      </Act>
      <Problem error={create.error} />
    </form>
  )
}
