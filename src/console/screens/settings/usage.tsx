import { useQuery } from '@tanstack/react-query'
import { useFormatter, useTranslations } from 'use-intl'
import { query } from '../../app/trpc.ts'
import { Panel } from '../../ui/fields.tsx'
import { Loaded } from '../../ui/states.tsx'

export function UsageSettings() {
  const t = useTranslations('usage')
  const settings = useTranslations('settings')
  const format = useFormatter()
  const usage = useQuery(query('stats.usage', { months: 12 }))
  return (
    <Panel title={settings('usage')} wide>
      <p className="text-muted">{t('intro')}</p>
      <Loaded of={usage}>
        {({ items }) => (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard
          <section className="overflow-x-auto" aria-label={settings('usage')} tabIndex={0}>
            <table className="w-full text-start tabular-nums">
              <thead>
                <tr className="text-muted text-sm">
                  <Head>{t('month')}</Head>
                  <Head>{t('calls')}</Head>
                  <Head>{t('minutes')}</Head>
                  <Head>{t('messagesIn')}</Head>
                  <Head>{t('messagesOut')}</Head>
                  <Head>{t('cost')}</Head>
                </tr>
              </thead>
              <tbody>
                {items.map((month) => (
                  <tr key={month.month} className="border-line border-t">
                    <th scope="row" className="whitespace-nowrap py-2 pe-3 text-start font-medium">
                      {format.dateTime(new Date(`${month.month}-15T12:00:00Z`), { year: 'numeric', month: 'long' })}
                    </th>
                    <Cell>{format.number(month.calls)}</Cell>
                    <Cell>{format.number(Math.ceil(month.callSeconds / 60))}</Cell>
                    <Cell>{format.number(month.messagesIn)}</Cell>
                    <Cell>{format.number(month.messagesOut)}</Cell>
                    <Cell>{format.number(month.costMicroUsd / 1_000_000, { style: 'currency', currency: 'USD' })}</Cell>
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
        )}
      </Loaded>
    </Panel>
  )
}

const Head = ({ children }: { children: string }) => (
  <th scope="col" className="whitespace-nowrap py-1 pe-3 text-start font-medium">
    {children}
  </th>
)
const Cell = ({ children }: { children: string }) => (
  <td className="py-2 pe-3">
    <bdi>{children}</bdi>
  </td>
)
