import { diffWordsWithSpace } from 'diff'
import { Fragment } from 'react'
import { useTranslations } from 'use-intl'
import { useLocale } from '../../app/i18n.tsx'
import type { Content } from './draft.ts'
import { type Change, changesBetween, labelOf } from './fields.ts'

/** Field by field, the words that went and the words that came. */
export function Difference({ before, after, same }: { before: Content; after: Content; same: string }) {
  const t = useTranslations('receptionist')
  const changes = changesBetween(t, before, after)
  if (changes.length === 0) return <p className="text-muted">{same}</p>
  return (
    <dl className="flex flex-col gap-3">
      {changes.map((change) => (
        <div key={change.path} className="rounded-lg border border-line p-3">
          <dt className="font-medium">
            <bdi>{labelOf(t, change.path)}</bdi>
          </dt>
          <dd>
            <Words change={change} />
          </dd>
        </div>
      ))}
    </dl>
  )
}

/** Words of any script: the segmenter of the browser knows where those of Hebrew end. */
function Words({ change: { before, after } }: { change: Change }) {
  const { locale } = useLocale()
  const intlSegmenter = new Intl.Segmenter(locale, { granularity: 'word' })
  const parts = diffWordsWithSpace(before, after, { intlSegmenter })
  let at = 0
  return (
    <p dir="auto" className="whitespace-pre-wrap [overflow-wrap:anywhere] [unicode-bidi:plaintext]">
      {parts.map(({ value, added, removed }) => {
        const key = `${at++}`
        if (added)
          return (
            <ins key={key} className="rounded bg-accent-soft no-underline">
              {value}
            </ins>
          )
        if (removed)
          return (
            <del key={key} className="rounded bg-danger-soft text-danger">
              {value}
            </del>
          )
        return <Fragment key={key}>{value}</Fragment>
      })}
    </p>
  )
}
