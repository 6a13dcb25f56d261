import { useMutation, useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { isSame, mergeChanges } from '../../../lib/merge.ts'
import { mutation, type Out, query, queryClient, statusOf } from '../../app/trpc.ts'

export type DraftView = Out<'receptionist.draft'>
export type Content = Pick<DraftView, 'settings' | 'texts'>
export type Settings = Content['settings']

/** After the last keystroke. */
const SAVE_AFTER_MS = 700

export const contentOf = ({ settings, texts }: Content): Content => ({ settings, texts })

/** Field by field, texts by their title: what only one side changed counts, where both did it is mine. */
function join(base: Content, mine: Content, theirs: Content) {
  const byTitle = ({ settings, texts }: Content) => ({
    settings,
    texts: Object.fromEntries(texts.map(({ title, body }) => [title, body])),
  })
  const { merged, overlaps } = mergeChanges(byTitle(base), byTitle(mine), byTitle(theirs))
  const texts = Object.entries(merged.texts).map(([title, body]) => ({ title, body }))
  const content = { settings: merged.settings, texts: texts.sort((a, b) => (a.title < b.title ? -1 : 1)) }
  return { content, overlaps }
}

/** What of `mine` the server does not have. */
function changesOf(seen: DraftView, mine: Content) {
  const bodies = new Map(seen.texts.map(({ title, body }) => [title, body]))
  const titles = new Set(mine.texts.map(({ title }) => title))
  return {
    revision: seen.revision,
    ...(isSame(seen.settings, mine.settings) ? {} : { settings: mine.settings }),
    saveTexts: mine.texts.filter(({ title, body }) => bodies.get(title) !== body),
    removeTexts: seen.texts.map(({ title }) => title).filter((title) => !titles.has(title)),
  }
}

type Editing = { seen: DraftView; mine: Content; overlaps: string[] }

/** What another member saved meanwhile is joined with what is typed here. */
function take(state: Editing | null, view: DraftView): Editing {
  if (!state) return { seen: view, mine: contentOf(view), overlaps: [] }
  if (view.revision < state.seen.revision) return state
  const { content, overlaps } = join(contentOf(state.seen), state.mine, contentOf(view))
  return { seen: view, mine: content, overlaps: overlaps.length > 0 ? overlaps : state.overlaps }
}

export type DraftEditing = ReturnType<typeof useDraft>

/** The draft of the business, saved while it is typed. Nothing that was typed is lost when another member saves first. */
export function useDraft() {
  const found = useQuery(query('receptionist.draft'))
  const [state, setState] = useState<Editing | null>(null)
  const { data } = found
  useEffect(() => {
    if (data) setState((before) => take(before, data))
  }, [data])
  const save = useMutation({
    mutationFn: async ({ seen, mine }: { seen: DraftView; mine: Content }) => ({
      sent: mine,
      view: await mutation('receptionist.saveDraft').mutationFn(changesOf(seen, mine)),
    }),
    // The server was away: what was typed is sent once it is back.
    retry: (count, error) => count < 20 && statusOf(error) === null,
    onSuccess: ({ sent, view }) => {
      setState((before) => before && { ...before, seen: view, mine: join(sent, before.mine, contentOf(view)).content })
      queryClient.setQueryData(query('receptionist.draft').queryKey, view)
    },
    onError: (error) => {
      if (statusOf(error) === 409) void queryClient.invalidateQueries({ queryKey: ['receptionist', 'draft'] })
    },
  })
  const dirty = state !== null && !isSame(contentOf(state.seen), state.mine)
  const { mutate, isPending } = save
  useEffect(() => {
    if (!state || !dirty || isPending) return
    const timer = setTimeout(() => mutate(state), SAVE_AFTER_MS)
    return () => clearTimeout(timer)
  }, [state, dirty, isPending, mutate])
  return {
    found,
    state,
    dirty,
    saving: isPending,
    error: save.error && statusOf(save.error) !== 409 ? save.error : null,
    change: (next: (content: Content) => Content) =>
      setState((before) => before && { ...before, mine: next(before.mine) }),
    forgetOverlaps: () => setState((before) => before && { ...before, overlaps: [] }),
    /** Takes what a request answered. */
    accept: (view: DraftView, overlaps: string[] = []) => {
      setState({ seen: view, mine: contentOf(view), overlaps })
      queryClient.setQueryData(query('receptionist.draft').queryKey, view)
    },
    /** The revision once all that was typed is saved. */
    async saved(): Promise<number> {
      if (!state) throw new Error('The draft is not loaded.')
      return dirty ? (await save.mutateAsync(state)).view.revision : state.seen.revision
    },
  }
}

/** Changes one setting. */
export function setting<K extends keyof Settings>(editing: DraftEditing, name: K, value: Settings[K]): void {
  editing.change((content) => ({ ...content, settings: { ...content.settings, [name]: value } }))
}
