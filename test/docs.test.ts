import { expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const ROOT = join(import.meta.dir, '..')
const pages = Bun.spawnSync(['git', 'ls-files', '*.md', 'docs/*.md'], { cwd: ROOT })
  .stdout.toString()
  .split('\n')
  .filter((page) => page !== '' && !page.startsWith('src/'))

test('every file, link and function that the documents name is there', () => {
  expect(pages.length).toBeGreaterThan(8)
  const missing: string[] = []
  for (const page of pages) {
    const text = readFileSync(join(ROOT, page), 'utf8')
    // What a page says of another project's sources ends in `.js`.
    for (const [, path = ''] of text.matchAll(/`((?:src|workers|db|test|bench|\.ci)\/[\w./-]+)`/g))
      if (!path.endsWith('.js') && !existsSync(join(ROOT, path))) missing.push(`${page}: ${path}`)
    for (const [, link = ''] of text.matchAll(/\]\((?!https?:)([^)#]+)\)/g))
      if (!existsSync(join(ROOT, dirname(page), link))) missing.push(`${page}: ${link}`)
    for (const [, path = '', name = ''] of text.matchAll(/`([\w./-]+\.ts)` › `(\w+)`/g))
      if (!readFileSync(join(ROOT, path), 'utf8').match(new RegExp(`\\b${name}\\b`)))
        missing.push(`${page}: ${path} has no ${name}`)
  }
  expect(missing).toEqual([])
})
