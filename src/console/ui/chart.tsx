import type { ReactNode } from 'react'
import { useTranslations } from 'use-intl'

const WIDTH = 600
const HEIGHT = 160
/** Of the parts of a column and their legend, in their order; they differ in lightness too. */
export const SERIES_COLORS = [
  'fill-accent',
  'fill-[light-dark(#5b7fb4,#8fb3e8)]',
  'fill-[light-dark(#b0873a,#e8c17a)]',
  'fill-[light-dark(#9aa5a0,#5f6b66)]',
  'fill-danger',
] as const

export type Column = { label: string; parts: number[] }

/** Stacked columns, from left to right in any language. For those who see it alone: the table beside it says the same. */
export function Columns({ columns }: { columns: Column[] }) {
  const top = Math.max(1, ...columns.map(({ parts }) => sum(parts)))
  const step = WIDTH / Math.max(1, columns.length)
  return (
    <div dir="ltr">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT + 18}`} aria-hidden="true" className="w-full">
        <line x1="0" x2={WIDTH} y1={HEIGHT} y2={HEIGHT} className="stroke-line" />
        <text x="0" y="10" className="fill-muted text-[13px]">
          {top}
        </text>
        {columns.map(({ label, parts }, index) => (
          <g key={label}>
            <title>{`${label}: ${sum(parts)}`}</title>
            {parts.map((part, at) => {
              const below = sum(parts.slice(0, at + 1))
              return (
                <rect
                  // biome-ignore lint/suspicious/noArrayIndexKey: the parts have an order and no name
                  key={at}
                  x={index * step + step * 0.12}
                  width={step * 0.76}
                  y={HEIGHT - (below / top) * (HEIGHT - 14)}
                  height={(part / top) * (HEIGHT - 14)}
                  className={SERIES_COLORS[at % SERIES_COLORS.length]}
                />
              )
            })}
            {isLabelled(index, columns.length) && (
              <text
                x={index === 0 ? 0 : index * step + step / 2}
                y={HEIGHT + 14}
                textAnchor={index === 0 ? 'start' : 'middle'}
                className="fill-muted text-[13px]"
              >
                {label}
              </text>
            )}
          </g>
        ))}
      </svg>
    </div>
  )
}

/** Lines over the same days; a day without a value is a gap. */
export function Lines({ lines, labels }: { lines: (number | null)[][]; labels: string[] }) {
  const top = Math.max(1, ...lines.flat().map((value) => value ?? 0))
  const step = WIDTH / Math.max(1, labels.length)
  const place = (value: number, index: number) =>
    `${(index * step + step / 2).toFixed(1)} ${(HEIGHT - (value / top) * (HEIGHT - 14)).toFixed(1)}`
  return (
    <div dir="ltr">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT + 18}`} aria-hidden="true" className="w-full">
        <line x1="0" x2={WIDTH} y1={HEIGHT} y2={HEIGHT} className="stroke-line" />
        <text x="0" y="10" className="fill-muted text-[13px]">
          {(top / 1_000).toFixed(1)} s
        </text>
        {lines.map((line, at) => (
          <path
            // biome-ignore lint/suspicious/noArrayIndexKey: the lines have an order and no name
            key={at}
            d={line
              .map((value, index) =>
                value === null ? '' : `${line[index - 1] == null ? 'M' : 'L'}${place(value, index)}h.01`,
              )
              .join('')}
            fill="none"
            strokeWidth="3"
            strokeLinecap="round"
            strokeDasharray={at === 0 ? undefined : '2 5'}
            className="stroke-accent"
          />
        ))}
        {labels.map(
          (label, index) =>
            isLabelled(index, labels.length) && (
              <text
                key={label}
                x={index * step + step / 2}
                y={HEIGHT + 14}
                textAnchor={index === 0 ? 'start' : 'middle'}
                className="fill-muted text-[13px]"
              >
                {label}
              </text>
            ),
        )}
      </svg>
    </div>
  )
}

/** A row with a bar that shows its share of the largest. */
export function Bar({ share, children }: { share: number; children: ReactNode }) {
  return (
    <li className="relative flex items-center justify-between gap-3 overflow-hidden rounded-lg px-3 py-1.5">
      <span
        aria-hidden="true"
        className="absolute inset-y-0 start-0 bg-accent-soft"
        style={{ width: `${Math.round(share * 100)}%` }}
      />
      {children}
    </li>
  )
}

/** The values of a chart as a table, for screen readers and for looking closer. */
export function AsTable({
  label,
  head,
  rows,
}: {
  label: string
  head: string[]
  rows: { key: string; cells: ReactNode[] }[]
}) {
  const t = useTranslations('stats')
  return (
    <details>
      <summary className="cursor-pointer text-muted text-sm">{t('asTable')}</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard */}
      <section className="max-h-80 overflow-auto" aria-label={label} tabIndex={0}>
        <table className="w-full text-sm tabular-nums">
          <thead>
            <tr>
              {head.map((name) => (
                <th key={name} scope="col" className="pe-3 text-start font-medium text-muted">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ key, cells }) => (
              <tr key={key} className="border-line border-t">
                {cells.map((cell, at) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: a cell belongs to its column
                  <td key={at} className="py-1 pe-3">
                    {cell}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </details>
  )
}

const sum = (values: number[]) => values.reduce((all, value) => all + value, 0)
/** Some seven labels fit below a chart. */
const isLabelled = (index: number, count: number) => index % Math.max(1, Math.ceil(count / 7)) === 0
