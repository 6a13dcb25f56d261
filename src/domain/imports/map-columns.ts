import { AppError } from '../../lib/errors.ts'
import { presentName } from '../leads/index.ts'
import {
  type ColumnMapping,
  fieldOfHeading,
  headingKey,
  IDENTIFYING,
  IMPORT_FIELDS,
  type ImportKind,
  isOfUser,
} from './fields.ts'

export type MappedColumn = { index: number; column: string; field: string }

const OWN_FIELD = /^(custom|date):(.+)$/s

/**
 * Maps columns, in reading order, by mapping or headings. @throws AppError `no_mapping`, `unknown_column`, `unknown_field`
 */
export function mapColumns(kind: ImportKind, columns: string[], mapping: ColumnMapping | null): MappedColumn[] {
  const mapped = mapping ? asMapped(kind, columns, mapping) : asHeaded(kind, columns)
  if (!mapped.some(({ field }) => IDENTIFYING.includes(field)))
    throw new AppError(
      'invalid',
      'no_mapping',
      `No column is known as phone, name or e-mail; say which is which. The columns are: ${listColumns(columns)}.`,
      { field: 'mapping' },
    )
  return mapped
}

function asMapped(kind: ImportKind, columns: string[], mapping: ColumnMapping): MappedColumn[] {
  const fields: readonly string[] = IMPORT_FIELDS[kind]
  return Object.entries(mapping).flatMap(([heading, named]) => {
    const field = presentName(named)
    if (!fields.includes(field) && !OWN_FIELD.test(field))
      throw new AppError(
        'invalid',
        'unknown_field',
        `There is no field “${field}”. There are: ${fields.join(', ')}, custom:<name>, date:<name>.`,
        { field: 'mapping' },
      )
    const key = headingKey(heading)
    const found = columns.flatMap((column, index) => (headingKey(column) === key ? [{ index, column, field }] : []))
    if (found.length === 0)
      throw new AppError(
        'invalid',
        'unknown_column',
        `There is no column “${heading}”. The columns are: ${listColumns(columns)}.`,
        { field: 'mapping' },
      )
    return found
  })
}

function asHeaded(kind: ImportKind, columns: string[]): MappedColumn[] {
  // Advertisement forms have a status of their own, which is no stage of the business.
  const keys = new Set(columns.map((column) => headingKey(column.slice(0, 200))))
  const isAdvertisement = keys.has('ad id') && keys.has('form id')
  return columns
    .flatMap((column, index) => {
      const known = fieldOfHeading(kind, column)
      return known ? [{ index, column, field: known.field, rank: known.rank }] : []
    })
    .filter(({ field, column }, _, all) => {
      if (field === 'stage' && isAdvertisement) return false
      return !isOfUser(column) || !all.some((other) => other.field === field && !isOfUser(other.column))
    })
    .sort((a, b) => a.rank - b.rank || a.index - b.index)
    .map(({ index, column, field }) => ({ index, column, field }))
}

export function toMapping(mapped: MappedColumn[]): ColumnMapping {
  return Object.fromEntries(mapped.toSorted((a, b) => a.index - b.index).map(({ column, field }) => [column, field]))
}

function listColumns(columns: string[]): string {
  const named = columns.filter((column) => column !== '')
  return `${named
    .slice(0, 30)
    .map((column) => `“${column.slice(0, 60)}”`)
    .join(', ')}${named.length > 30 ? ', …' : ''}`
}
