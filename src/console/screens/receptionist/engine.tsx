import { useMutation, useQuery } from '@tanstack/react-query'
import { useTranslations } from 'use-intl'
import { mutation, query, queryClient } from '../../app/trpc.ts'
import { Field, Panel, Problem } from '../../ui/fields.tsx'

const ENGINES = { default: 'engineDefault', 'openai-realtime': 'engineOpenAi', embedded: 'engineEmbedded' } as const
const NAMES = ['default', 'openai-realtime', 'embedded'] as const

/** What talks to callers: a setting of the business, which counts at once and is no part of a version. */
export function EnginePanel() {
  const t = useTranslations('receptionist')
  const business = useQuery(query('businesses.get'))
  const save = useMutation({
    ...mutation('businesses.update'),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['businesses'] }),
  })
  if (!business.data) return null
  return (
    <Panel title={t('engine')}>
      <Field label={t('engineOf')} hint={t('engineHint')}>
        {(className) => (
          <select
            className={className}
            value={save.isPending ? save.variables.speechEngine : business.data.speechEngine}
            onChange={({ target }) => {
              const speechEngine = NAMES.find((name) => name === target.value)
              if (speechEngine) save.mutate({ speechEngine })
            }}
          >
            {NAMES.map((name) => (
              <option key={name} value={name}>
                {t(ENGINES[name])}
              </option>
            ))}
          </select>
        )}
      </Field>
      <p role="status">{save.isSuccess && t('engineSaved')}</p>
      <Problem error={save.error} />
    </Panel>
  )
}
