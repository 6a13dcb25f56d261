import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslations } from 'use-intl'
import { mutation, type Out, query, queryClient } from '../app/trpc.ts'
import { Empty, Heading, Loaded } from '../ui/states.tsx'
import { offerUndo } from '../ui/undo.ts'
import { Ago, Money, Phone, Written } from '../ui/values.tsx'

type Column = Out<'leads.board'>['columns'][number]
type Lead = Column['items'][number]

/** Leads by stage; the keyboard moves one with its list of stages. */
export function Leads() {
  const t = useTranslations('lead')
  const board = useQuery(query('leads.board'))
  const key = query('leads.board').queryKey
  const move = useMutation({
    ...mutation('leads.move'),
    onMutate: ({ id, stage }) => {
      const before = queryClient.getQueryData(key)
      queryClient.setQueryData(key, (old) => old && { columns: moved(old.columns, id, stage) })
      return { before }
    },
    onError: (_error, _input, context) => queryClient.setQueryData(key, context?.before),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['leads'] }),
  })
  const moveNow = (id: string, stage: string) => {
    const columns = board.data?.columns ?? []
    const from = columns.find(({ items }) => items.some((lead) => lead.id === id))
    const at = from?.items.findIndex((lead) => lead.id === id) ?? -1
    const lead = from?.items[at]
    if (!from || !lead || from.stage.key === stage) return
    const before = { id, stage: from.stage.key, afterId: from.items[at - 1]?.id ?? null }
    const name = lead.name ?? lead.phone ?? t('noName')
    const to = columns.find((column) => column.stage.key === stage)?.stage.name ?? stage
    move.mutate(
      { id, stage },
      { onSuccess: () => offerUndo(t('moved', { name, stage: to }), () => move.mutate(before)) },
    )
  }
  return (
    <>
      <Heading>{t('title')}</Heading>
      <Loaded of={board}>
        {({ columns }) => (
          <section
            aria-label={t('title')}
            // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reached by the keyboard
            tabIndex={0}
            className="flex min-h-0 flex-1 snap-x gap-3 overflow-x-auto p-3"
          >
            {columns.map((column) => (
              <section
                key={column.stage.key}
                aria-label={column.stage.name}
                onDragOver={(event) => event.preventDefault()}
                onDrop={(event) => {
                  event.preventDefault()
                  moveNow(event.dataTransfer.getData('text/plain'), column.stage.key)
                }}
                className="flex max-h-full w-72 shrink-0 snap-start flex-col rounded-xl bg-raised"
              >
                <h2 className="flex justify-between px-3 py-2 font-semibold">
                  <bdi>{column.stage.name}</bdi>
                  <span className="text-muted">{column.count}</span>
                </h2>
                {column.items.length === 0 ? (
                  <Empty>{t('empty')}</Empty>
                ) : (
                  <ul className="flex min-h-0 flex-col gap-2 overflow-y-auto p-2">
                    {column.items.map((lead) => (
                      <Card
                        key={lead.id}
                        lead={lead}
                        stages={columns.map(({ stage }) => stage)}
                        onMove={(stage) => moveNow(lead.id, stage)}
                      />
                    ))}
                  </ul>
                )}
              </section>
            ))}
          </section>
        )}
      </Loaded>
    </>
  )
}

function moved(columns: Column[], id: string, stage: string): Column[] {
  const lead = columns.flatMap(({ items }) => items).find((each) => each.id === id)
  if (!lead) return columns
  return columns.map((column) => {
    const items = column.items.filter((each) => each.id !== id)
    return column.stage.key === stage ? { ...column, items: [{ ...lead, stage }, ...items] } : { ...column, items }
  })
}

function Card({ lead, stages, onMove }: { lead: Lead; stages: Column['stage'][]; onMove(stage: string): void }) {
  const t = useTranslations('lead')
  return (
    <li
      draggable
      onDragStart={(event) => event.dataTransfer.setData('text/plain', lead.id)}
      className="flex flex-col gap-1 rounded-lg border border-line bg-surface p-3 shadow-sm"
    >
      <strong className="truncate">
        {lead.name ? <bdi>{lead.name}</bdi> : lead.phone ? <Phone value={lead.phone} /> : t('noName')}
      </strong>
      {lead.inquiry && <Written className="line-clamp-3 text-sm">{lead.inquiry}</Written>}
      {lead.callbackTime && (
        <span className="text-sm text-warn">
          {t('callback')} <Written>{lead.callbackTime}</Written>
        </span>
      )}
      <span className="flex justify-between text-muted text-sm">
        <Ago at={lead.createdAt} />
        {lead.valueAgorot !== null && <Money amount={lead.valueAgorot} currency="ILS" />}
      </span>
      <span className="flex items-center gap-2">
        <select
          aria-label={t('move')}
          value={lead.stage}
          onChange={(event) => onMove(event.target.value)}
          className="min-w-0 flex-1 rounded-lg border border-line bg-surface px-2 py-1 text-sm"
        >
          {stages.map((stage) => (
            <option key={stage.key} value={stage.key}>
              {stage.name}
            </option>
          ))}
        </select>
        {lead.contactId && (
          <Link to="/inbox" search={{ view: 'all', contact: lead.contactId }} className="text-sm underline">
            {t('open')}
          </Link>
        )}
      </span>
    </li>
  )
}
