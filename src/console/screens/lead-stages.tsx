import { useMutation } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslations } from 'use-intl'
import { mutation, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Problem } from '../ui/fields.tsx'
import type { Stage } from './lead-types.ts'

const KINDS: Stage['kind'][] = ['open', 'won', 'lost']

/** The business's own stages: named, ordered, added and removed. Where new leads go stays. */
export function StagesDialog({ stages, onClose }: { stages: Stage[]; onClose(): void }) {
  const t = useTranslations('lead')
  const [list, setList] = useState(stages)
  const save = useMutation({
    ...mutation('leads.saveStages'),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: ['leads'] })
      onClose()
    },
  })
  const change = (at: number, changes: Partial<Stage>) =>
    setList(list.map((stage, index) => (index === at ? { ...stage, ...changes } : stage)))
  const swap = (at: number, by: 1 | -1) => {
    const [one, other] = [list[at], list[at + by]]
    if (one && other) setList(list.with(at, other).with(at + by, one))
  }
  return (
    <Dialog title={t('stages')} onClose={onClose}>
      <form
        className="flex flex-col gap-3"
        onSubmit={(event: FormEvent) => {
          event.preventDefault()
          save.mutate({ stages: list })
        }}
      >
        <ol className="flex flex-col gap-2">
          {list.map((stage, index) => (
            <li key={stage.key} className="flex flex-wrap items-center gap-2">
              <input
                dir="auto"
                required
                maxLength={80}
                aria-label={t('stageName', { number: index + 1 })}
                value={stage.name}
                onChange={({ target }) => change(index, { name: target.value })}
                className="min-w-0 flex-1 rounded-lg border border-line bg-page px-3 py-2"
              />
              <select
                aria-label={t('stageKind', { stage: stage.name })}
                value={stage.kind}
                onChange={({ target }) =>
                  change(index, { kind: KINDS.find((kind) => kind === target.value) ?? 'open' })
                }
                className="rounded-lg border border-line bg-page px-2 py-2"
              >
                {KINDS.map((kind) => (
                  <option key={kind} value={kind}>
                    {t(`kind.${kind}`)}
                  </option>
                ))}
              </select>
              <Act
                look="quiet"
                aria-label={t('stageUp', { stage: stage.name })}
                isDisabled={index === 0}
                onPress={() => swap(index, -1)}
              >
                ↑
              </Act>
              <Act
                look="quiet"
                aria-label={t('stageDown', { stage: stage.name })}
                isDisabled={index === list.length - 1}
                onPress={() => swap(index, 1)}
              >
                ↓
              </Act>
              <Act
                look="quiet"
                aria-label={t('stageRemove', { stage: stage.name })}
                isDisabled={stage.key === 'new'}
                onPress={() => setList(list.filter(({ key }) => key !== stage.key))}
              >
                ✕
              </Act>
            </li>
          ))}
        </ol>
        <Act
          onPress={() =>
            setList([...list, { key: `s_${crypto.randomUUID().slice(0, 8)}`, name: t('newStage'), kind: 'open' }])
          }
        >
          {t('addStage')}
        </Act>
        <Problem error={save.error} />
        <Act type="submit" look="main" isDisabled={save.isPending}>
          {t('save')}
        </Act>
      </form>
    </Dialog>
  )
}
