import { useMutation, useQuery } from '@tanstack/react-query'
import { useTranslations } from 'use-intl'
import { mutation, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Field, Panel, Problem } from '../ui/fields.tsx'
import { Loaded } from '../ui/states.tsx'

export function BusinessSettings() {
  const t = useTranslations('settings')
  const state = useTranslations('state')
  const business = useQuery(query('businesses.get'))
  const save = useMutation({
    ...mutation('businesses.update'),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['businesses'] }),
  })
  return (
    <Panel title={t('business')}>
      <Loaded of={business}>
        {(data) => (
          <form
            className="flex flex-col gap-4"
            onSubmit={(event) => {
              event.preventDefault()
              const form = new FormData(event.currentTarget)
              const text = (name: string) => String(form.get(name) ?? '').trim()
              const provider = (name: string) => {
                const value = text(name)
                return value === 'twilio' || value === 'baileys' ? value : null
              }
              save.mutate({
                name: text('name'),
                language: text('language') === 'en' ? 'en' : 'he',
                greeting: text('greeting') || null,
                defaultWhatsappProvider: provider('provider') ?? 'twilio',
                fallbackWhatsappProvider: provider('fallback'),
              })
            }}
          >
            <Field label={t('name')}>
              {(className) => (
                <input name="name" dir="auto" required maxLength={120} defaultValue={data.name} className={className} />
              )}
            </Field>
            <Field label={t('languageOf')}>
              {(className) => (
                <select name="language" defaultValue={data.language} className={className}>
                  <option value="he">{t('hebrew')}</option>
                  <option value="en">{t('english')}</option>
                </select>
              )}
            </Field>
            <Field label={t('greeting')} hint={t('greetingHint')}>
              {(className) => (
                <textarea
                  name="greeting"
                  dir="auto"
                  maxLength={500}
                  rows={3}
                  defaultValue={data.greeting ?? ''}
                  className={className}
                />
              )}
            </Field>
            <Field label={t('provider')}>
              {(className) => (
                <select name="provider" defaultValue={data.defaultWhatsappProvider} className={className}>
                  <option value="twilio">Twilio</option>
                  <option value="baileys">{t('linked')}</option>
                </select>
              )}
            </Field>
            <Field label={t('fallback')}>
              {(className) => (
                <select name="fallback" defaultValue={data.fallbackWhatsappProvider ?? ''} className={className}>
                  <option value="">{t('none')}</option>
                  <option value="twilio">Twilio</option>
                  <option value="baileys">{t('linked')}</option>
                </select>
              )}
            </Field>
            <Problem error={save.error} />
            <div className="flex items-center gap-3">
              <Act type="submit" look="main" isDisabled={save.isPending}>
                {state('save')}
              </Act>
              {save.isSuccess && <span role="status">{t('saved')}</span>}
            </div>
          </form>
        )}
      </Loaded>
    </Panel>
  )
}
