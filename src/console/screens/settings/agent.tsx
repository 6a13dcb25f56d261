import { useMutation, useQuery } from '@tanstack/react-query'
import { useTranslations } from 'use-intl'
import { useAccess } from '../../app/access.ts'
import { mutation, type Out, query, queryClient } from '../../app/trpc.ts'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { SaveRow } from '../../ui/save-row.tsx'
import { Loaded } from '../../ui/states.tsx'
import { isolated } from '../../ui/values.tsx'

type AgentOptions = Out<'agent.settings'>
const ANSWERS = ['always', 'open', 'closed'] as const
const MASKED = ['id_number', 'email', 'phone', 'bank_account'] as const

/** Whether and how the agent answers WhatsApp. */
export function AgentSettings() {
  const t = useTranslations('agent')
  const found = useQuery(query('agent.settings'))
  return (
    <Panel title={t('title')}>
      <p className="text-muted">{t('intro')}</p>
      <Loaded of={found}>{(data) => <Form data={data} />}</Loaded>
    </Panel>
  )
}

function Form({ data }: { data: AgentOptions }) {
  const t = useTranslations('agent')
  const mayEdit = useAccess().may('manager')
  const members = useQuery(query('members.list', { limit: 200 }))
  const save = useMutation({
    ...mutation('agent.saveSettings'),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['agent'] }),
  })
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        save.mutate(readForm(new FormData(event.currentTarget)))
      }}
    >
      <fieldset disabled={!mayEdit} className="flex flex-col gap-4">
        <Check name="enabled" label={t('enabled')} hint={t('enabledHint')} isOn={data.enabled} />
        <Check name="approveFirst" label={t('approveFirst')} isOn={data.approveFirst} />
        <Check
          name="answersByVoice"
          label={t('answersByVoice')}
          hint={t('answersByVoiceHint')}
          isOn={data.answersByVoice}
        />
        <Field label={t('answers')}>
          {(className) => (
            <select name="answers" defaultValue={data.answers} className={className}>
              {ANSWERS.map((each) => (
                <option key={each} value={each}>
                  {t(each)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Count name="settleSeconds" label={t('settleSeconds')} value={data.settleSeconds} min={1} max={30} />
        <Count name="pauseMinutes" label={t('pauseMinutes')} value={data.pauseMinutes} min={5} max={10_080} />
        <Field label={t('handoverTopics')} hint={t('handoverTopicsHint')}>
          {(className) => (
            <textarea
              name="handoverTopics"
              dir="auto"
              rows={3}
              maxLength={3_000}
              defaultValue={data.handoverTopics.join('\n')}
              className={className}
            />
          )}
        </Field>
        <Field label={t('assigneeId')}>
          {(className) => (
            <select
              // The members come later than the settings.
              key={members.data?.items.length}
              name="assigneeId"
              defaultValue={data.assigneeId ?? ''}
              className={className}
            >
              <option value="">{t('noAssignee')}</option>
              {(members.data?.items ?? []).map(({ userId, name, email }) => (
                <option key={userId} value={userId}>
                  {isolated(name || email)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <fieldset className="flex flex-col gap-2">
          <legend className="font-medium">{t('masked')}</legend>
          <p className="text-muted text-sm">{t('maskedHint')}</p>
          {MASKED.map((each) => (
            <Check key={each} name={`masked.${each}`} label={t(each)} isOn={data.masked.includes(each)} />
          ))}
        </fieldset>
      </fieldset>
      <Problem error={save.error} />
      <SaveRow of={save} needs="manager" />
    </form>
  )
}

function readForm(form: FormData) {
  const text = (name: string) => String(form.get(name) ?? '')
  return {
    enabled: form.has('enabled'),
    approveFirst: form.has('approveFirst'),
    answersByVoice: form.has('answersByVoice'),
    masked: MASKED.filter((each) => form.has(`masked.${each}`)),
    answers: ANSWERS.find((each) => each === text('answers')) ?? 'always',
    settleSeconds: Number(text('settleSeconds')),
    pauseMinutes: Number(text('pauseMinutes')),
    handoverTopics: text('handoverTopics')
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean),
    assigneeId: text('assigneeId') || null,
  }
}

function Check({ name, label, hint, isOn }: { name: string; label: string; hint?: string; isOn: boolean }) {
  return (
    <label className="flex items-start gap-2">
      <input type="checkbox" name={name} defaultChecked={isOn} className="mt-1 size-4" />
      <span className="flex flex-col">
        <span className="font-medium">{label}</span>
        {hint && <span className="text-muted text-sm">{hint}</span>}
      </span>
    </label>
  )
}

type CountProps = { name: string; label: string; value: number; min: number; max: number }

function Count({ name, label, value, min, max }: CountProps) {
  return (
    <Field label={label}>
      {(className) => (
        <input
          name={name}
          type="number"
          dir="ltr"
          required
          min={min}
          max={max}
          defaultValue={value}
          className={className}
        />
      )}
    </Field>
  )
}
