import { useMutation, useQuery } from '@tanstack/react-query'
import { useFormatter, useTranslations } from 'use-intl'
import { mutation, type Out, query, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { Loaded } from '../../ui/states.tsx'

export function ModelSettings() {
  const t = useTranslations('models')
  const settings = useQuery(query('models.settings'))
  return (
    <>
      <p className="max-w-2xl text-muted">{t('intro')}</p>
      <Loaded of={settings}>{(given) => <Choice given={given} />}</Loaded>
      <Cost />
    </>
  )
}

function Choice({ given }: { given: Out<'models.settings'> }) {
  const t = useTranslations('models')
  const state = useTranslations('state')
  const title = useTranslations('settings')
  const done = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['models'] }) }
  const change = useMutation({ ...mutation('models.change'), ...done })
  return (
    <Panel title={title('models')}>
      {given.inUse.length > 0 ? (
        <p>
          {t('inUse')} <code dir="ltr">{given.inUse.join(', ')}</code>
        </p>
      ) : (
        <p>{t('rules')}</p>
      )}
      {given.inUse.map((model) => (
        <Test key={model} model={model} />
      ))}
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          const form = new FormData(event.currentTarget)
          const textOf = (name: string) => String(form.get(name) ?? '').trim()
          change.mutate({
            model: textOf('model') || null,
            fallback: textOf('fallback') || null,
            monthlyMicros: Math.round(Number(textOf('budget')) * 1_000_000),
            monthlyUnpricedTokens: Number(textOf('unpriced')),
          })
        }}
      >
        <Field label={t('model')} hint={t('modelHint')}>
          {(className) => (
            <input
              name="model"
              dir="ltr"
              defaultValue={given.model ?? ''}
              placeholder={given.installation.model ?? 'openai:gpt-5-mini'}
              className={className}
            />
          )}
        </Field>
        <Field label={t('fallback')} hint={t('fallbackHint')}>
          {(className) => (
            <input
              name="fallback"
              dir="ltr"
              defaultValue={given.fallback ?? ''}
              placeholder={given.installation.fallback ?? ''}
              className={className}
            />
          )}
        </Field>
        <Field label={t('budget')} hint={t('budgetHint')}>
          {(className) => (
            <input
              name="budget"
              type="number"
              min={0}
              max={100_000}
              step="0.01"
              required
              dir="ltr"
              defaultValue={given.monthlyMicros / 1_000_000}
              className={className}
            />
          )}
        </Field>
        <Field label={t('unpriced')}>
          {(className) => (
            <input
              name="unpriced"
              type="number"
              min={0}
              step={1}
              required
              dir="ltr"
              defaultValue={given.monthlyUnpricedTokens}
              className={className}
            />
          )}
        </Field>
        <Act type="submit" look="main" className="self-start" isDisabled={change.isPending}>
          {state('save')}
        </Act>
      </form>
      <Problem error={change.error} />
      {change.isSuccess && <p role="status">{t('saved')}</p>}
    </Panel>
  )
}

function Test({ model }: { model: string }) {
  const t = useTranslations('models')
  const test = useMutation(mutation('models.test'))
  return (
    <div className="flex flex-wrap items-center gap-3">
      <Act onPress={() => test.mutate({ model })} isDisabled={test.isPending}>
        {t('test')}: <bdi dir="ltr">{model}</bdi>
      </Act>
      <Problem error={test.error} />
      {test.data && <p role="status">{t('works', { model, ms: String(test.data.ms) })}</p>}
    </div>
  )
}

function Cost() {
  const t = useTranslations('models')
  const format = useFormatter()
  const budget = useQuery(query('models.budget'))
  const months = useQuery(query('models.months', { months: 12 }))
  const money = (micros: number) => format.number(micros / 1_000_000, { style: 'currency', currency: 'USD' })
  return (
    <Panel title={t('cost')} wide>
      <Loaded of={budget}>
        {({ costMicros, limitMicros, percent }) => (
          <p>{t('used', { cost: money(costMicros), limit: money(limitMicros), percent: String(percent) })}</p>
        )}
      </Loaded>
      <Loaded of={months}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="text-muted">{t('none')}</p>
          ) : (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard
            <section className="overflow-x-auto" aria-label={t('cost')} tabIndex={0}>
              <table className="w-full text-start tabular-nums">
                <thead>
                  <tr className="text-muted text-sm">
                    {(['month', 'requests', 'tokens', 'amount'] as const).map((name) => (
                      <th key={name} scope="col" className="whitespace-nowrap py-1 pe-3 text-start font-medium">
                        {t(name)}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {items.map((month) => (
                    <tr key={month.month} className="border-line border-t">
                      <th scope="row" className="whitespace-nowrap py-2 pe-3 text-start font-medium">
                        {format.dateTime(new Date(`${month.month}-15T12:00:00Z`), { year: 'numeric', month: 'long' })}
                      </th>
                      <td className="py-2 pe-3">{format.number(month.requests)}</td>
                      <td className="py-2 pe-3">{format.number(month.inputTokens + month.outputTokens)}</td>
                      <td className="py-2 pe-3">
                        <bdi>{money(month.costMicros)}</bdi>
                        {month.unpricedTokens > 0 && (
                          <> {t('unknown', { tokens: format.number(month.unpricedTokens) })}</>
                        )}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </section>
          )
        }
      </Loaded>
    </Panel>
  )
}
