import type { Out } from '../app/trpc.ts'

export type Column = Out<'leads.board'>['columns'][number]
export type Lead = Column['items'][number]
export type Stage = Column['stage']
/** `afterId`: the lead above; null is the top. */
export type LeadPlace = { stage: string; afterId: string | null }

/** The board with one lead somewhere else. */
export function moved(columns: Column[], id: string, { stage, afterId }: LeadPlace): Column[] {
  const lead = columns.flatMap(({ items }) => items).find((each) => each.id === id)
  if (!lead) return columns
  return columns.map((column) => {
    const items = column.items.filter((each) => each.id !== id)
    const count = column.count + (column.stage.key === stage ? 1 : 0) - (column.stage.key === lead.stage ? 1 : 0)
    if (column.stage.key !== stage) return { ...column, count, items }
    const at = items.findIndex((each) => each.id === afterId) + 1
    return { ...column, count, items: items.toSpliced(at, 0, { ...lead, stage }) }
  })
}

/** The place one step away on the board; the same one at its edge. */
export function placeBeside(
  columns: Column[],
  id: string,
  from: LeadPlace,
  step: 'up' | 'down' | 'next' | 'previous',
): LeadPlace {
  const index = columns.findIndex(({ stage }) => stage.key === from.stage)
  const othersOf = (at: number) => (columns[at]?.items ?? []).filter((each) => each.id !== id)
  if (step === 'next' || step === 'previous') {
    const to = columns[index + (step === 'next' ? 1 : -1)]
    return to ? { stage: to.stage.key, afterId: null } : from
  }
  const others = othersOf(index)
  const at = others.findIndex((each) => each.id === from.afterId) + 1
  const to = Math.min(Math.max(at + (step === 'down' ? 1 : -1), 0), others.length)
  return { stage: from.stage, afterId: others[to - 1]?.id ?? null }
}
