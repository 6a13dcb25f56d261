import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { checkVersion } from '../../db/migrate.ts'

const ROOT = join(import.meta.dir, '../..')

/** What Postgres took up after version 14, and the version it came with. */
const NEWER: [number, string, RegExp][] = [
  [15, 'SET NULL or SET DEFAULT of some columns', /\bon\s+delete\s+set\s+(?:null|default)\s*\(/i],
  [15, 'MERGE', /\bmerge\s+into\b[^;`]*\busing\b/i],
  [15, 'NULLS NOT DISTINCT', /\bnulls\s+not\s+distinct\b/i],
  [15, 'security_invoker', /\bsecurity_invoker\b/i],
  [15, 'regular expression functions', /\bregexp_(?:count|instr|like|substr)\s*\(/i],
  [16, 'any_value and array functions', /\b(?:any_value|array_sample|array_shuffle)\s*\(/i],
  [16, 'pg_input_is_valid', /\bpg_input_(?:is_valid|error_info)\s*\(/i],
  [16, 'SQL/JSON', /\bis\s+json\b|\bjson_(?:arrayagg|objectagg|exists|value|query|table|scalar|serialize)\s*\(/i],
  [17, 'functions of time and numbers', /\buuid_extract_\w+\s*\(|\bto_(?:bin|oct)\s*\(|\bdate_(?:add|subtract)\s*\(/i],
  [18, 'UUIDv7 and casefold', /\b(?:uuidv[47]|casefold)\s*\(/i],
  [18, 'virtual columns', /\)\s*virtual\b/i],
  [18, 'temporal and unenforced constraints', /\bwithout\s+overlaps\b|\bnot\s+enforced\b/i],
]

function listNewer(path: string, text: string): string[] {
  return NEWER.filter(([, , syntax]) => syntax.test(text)).map(([version, what]) => `${path}: ${what} (${version})`)
}

describe('the oldest Postgres that the product works with', () => {
  test('no migration and no query uses what came after version 14', async () => {
    const files = await Array.fromAsync(new Bun.Glob('{db,src,workers}/**/*.{sql,ts}').scan({ cwd: ROOT }))
    const texts = await Promise.all(
      files.map(async (path) => ({ path, text: await Bun.file(join(ROOT, path)).text() })),
    )
    expect(texts.length).toBeGreaterThan(200)
    expect(texts.flatMap(({ path, text }) => listNewer(path, text))).toEqual([])
  })

  test('newer syntax is found in migrations and in queries', () => {
    const key = 'FOREIGN KEY ("a","b") REFERENCES "c"("a","b") ON DELETE SET NULL ("b")'
    expect(listNewer('a.sql', `ALTER TABLE "x" ADD CONSTRAINT "y" ${key};`)).toHaveLength(1)
    expect(listNewer('a.ts', 'const rows = await tx<Row[]>`select any_value(name) from contacts`')).toHaveLength(1)
    expect(listNewer('a.ts', 'const rows = await tx`select min(name) from contacts`')).toEqual([])
  })

  test('an older server is refused, with its version', () => {
    expect(() => checkVersion(130_022)).toThrow('The database server is Postgres 13.22. Use Postgres 14 or newer.')
    for (const version of [140_000, 140_023, 180_004]) expect(() => checkVersion(version)).not.toThrow()
  })
})
