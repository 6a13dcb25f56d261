import { useMutation, useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { mutation, query, queryClient } from '../app/trpc.ts'
import { Allowed } from '../ui/allowed.tsx'
import { Act } from '../ui/buttons.tsx'
import { Problem } from '../ui/fields.tsx'
import { offerUndo } from '../ui/notice-queue.ts'
import { Empty, Heading, Loaded } from '../ui/states.tsx'
import { isolated, Money } from '../ui/values.tsx'
import { LeadCard } from './lead-card.tsx'
import { LeadDialog, NewLeadDialog } from './lead-dialogs.tsx'
import { StagesDialog } from './lead-stages.tsx'
import { type Column, type Lead, type LeadPlace, moved } from './lead-types.ts'
import { LeadsList } from './leads-list.tsx'

const route = getRouteApi('/leads')

/** Leads by stage, in an order of their own: moved by drag, by the keys, or with the list of stages. */
export function Leads() {
  const t = useTranslations('lead')
  const { lead: openId, ...filter } = route.useSearch()
  const isFiltered = filter.stage !== undefined || filter.since !== undefined || filter.until !== undefined
  const navigate = useNavigate({ from: '/leads' })
  const open = (lead: string | undefined) => void navigate({ search: (old) => ({ ...old, lead }) })
  const board = useQuery(query('leads.board'))
  const [dialog, setDialog] = useState<'new' | 'stages' | null>(null)
  const [aimed, setAimed] = useState<string | null>(null)
  const move = useMove()
  return (
    <>
      <Heading
        aside={
          <div className="ms-auto flex gap-2">
            <Allowed to="manager">
              <Act onPress={() => setDialog('stages')}>{t('stages')}</Act>
            </Allowed>
            <Allowed to="agent">
              <Act look="main" onPress={() => setDialog('new')}>
                {t('new')}
              </Act>
            </Allowed>
          </div>
        }
      >
        {t('title')}
      </Heading>
      <Problem error={move.error} />
      <p className="sr-only" aria-live="assertive">
        {aimed}
      </p>
      <Loaded of={board}>
        {({ columns }) =>
          isFiltered ? (
            <LeadsList filter={filter} stages={columns.map(({ stage }) => stage)} onOpen={open} />
          ) : (
            <section
              aria-label={t('title')}
              // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reached by the keyboard
              tabIndex={0}
              className="flex min-h-0 flex-1 snap-x scroll-px-3 gap-3 overflow-x-auto p-3"
            >
              {columns.map((column) => (
                <Stage
                  key={column.stage.key}
                  column={column}
                  columns={columns}
                  onMove={(lead, place) => move.to(columns, lead, place)}
                  onOpen={open}
                  onAim={setAimed}
                />
              ))}
            </section>
          )
        }
      </Loaded>
      {openId && (
        <LeadDialog key={openId} id={openId} columns={board.data?.columns ?? []} onClose={() => open(undefined)} />
      )}
      {dialog === 'new' && <NewLeadDialog onClose={() => setDialog(null)} />}
      {dialog === 'stages' && board.data && (
        <StagesDialog stages={board.data.columns.map(({ stage }) => stage)} onClose={() => setDialog(null)} />
      )}
    </>
  )
}

/** Moves a lead at once, and back when it is refused. */
function useMove() {
  const t = useTranslations('lead')
  const { queryKey } = query('leads.board')
  const move = useMutation({
    ...mutation('leads.move'),
    onMutate: ({ id, stage, afterId }) => {
      const before = queryClient.getQueryData(queryKey)
      queryClient.setQueryData(
        queryKey,
        (old) => old && { columns: moved(old.columns, id, { stage, afterId: afterId ?? null }) },
      )
      return { before }
    },
    onError: (_error, _input, context) => queryClient.setQueryData(queryKey, context?.before),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['leads'] }),
  })
  const to = (columns: Column[], lead: Lead, place: LeadPlace) => {
    const items = columns.find(({ stage }) => stage.key === lead.stage)?.items ?? []
    const at = items.findIndex(({ id }) => id === lead.id)
    const before = { stage: lead.stage, afterId: items[at - 1]?.id ?? null }
    if (place.stage === before.stage && (place.afterId === before.afterId || place.afterId === lead.id)) return
    const name = columns.find(({ stage }) => stage.key === place.stage)?.stage.name ?? ''
    move.mutate(
      { id: lead.id, ...place },
      {
        onSuccess: () =>
          offerUndo(t('movedTo', { stage: isolated(name) }), () => move.mutate({ id: lead.id, ...before })),
      },
    )
  }
  return { to, error: move.error }
}

function Stage({
  column,
  columns,
  onMove,
  onOpen,
  onAim,
}: {
  column: Column
  columns: Column[]
  onMove(lead: Lead, place: LeadPlace): void
  onOpen(id: string): void
  onAim(text: string | null): void
}) {
  const t = useTranslations('lead')
  const { stage, items } = column
  const drop = (event: React.DragEvent<HTMLElement>) => {
    event.preventDefault()
    const id = event.dataTransfer.getData('text/plain')
    const lead = columns.flatMap((each) => each.items).find((each) => each.id === id)
    if (!lead) return
    // Behind the last card whose middle is above the pointer.
    const above = [...event.currentTarget.querySelectorAll<HTMLElement>('[data-lead]')].filter((card) => {
      const box = card.getBoundingClientRect()
      return card.dataset.lead !== id && box.top + box.height / 2 < event.clientY
    })
    onMove(lead, { stage: stage.key, afterId: above.at(-1)?.dataset.lead ?? null })
  }
  return (
    <section
      aria-label={stage.name}
      onDragOver={(event) => event.preventDefault()}
      onDrop={drop}
      className="flex max-h-full w-72 shrink-0 snap-start flex-col rounded-xl bg-raised"
    >
      <h2 className="flex flex-wrap justify-between gap-x-2 px-3 py-2 font-semibold">
        <bdi>{stage.name}</bdi>
        <span className="text-muted">{column.count}</span>
        {column.valueAgorot > 0 && (
          <small className="w-full font-normal text-muted">
            <Money amount={column.valueAgorot} currency="ILS" />
          </small>
        )}
      </h2>
      {items.length === 0 ? (
        <Empty>{t('empty')}</Empty>
      ) : (
        <ul className="flex min-h-0 flex-col gap-2 overflow-y-auto p-2">
          {items.map((lead) => (
            <LeadCard
              key={lead.id}
              lead={lead}
              columns={columns}
              onMove={(place) => onMove(lead, place)}
              onOpen={() => onOpen(lead.id)}
              onAim={onAim}
            />
          ))}
        </ul>
      )}
    </section>
  )
}
