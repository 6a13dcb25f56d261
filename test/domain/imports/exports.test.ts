import { describe, expect, test } from 'bun:test'
import { type CsvInput, openCsvFile } from '../../../src/domain/imports/csv-file.ts'
import { EXPORTS } from './files.ts'

const input = (kind: CsvInput['kind'], source: CsvInput['source']): CsvInput => ({
  kind,
  source,
  encoding: null,
  mapping: null,
  heading: true,
  amounts: null,
  dates: null,
})

describe('exports of other programs map by themselves', () => {
  for (const { name, kind, csv, expected } of EXPORTS)
    test(name, () => {
      const rows = [...openCsvFile(input(kind, csv)).rows()].filter((row) => row.kind !== 'blank')
      expect(rows).toHaveLength(1)
      const [row] = rows
      expect(row).toMatchObject({ kind: 'row', value: expected })
    })
})
