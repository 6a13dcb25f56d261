/** Refuses a write to a table by a noun that does not own it. An import rule cannot tell a write from a join that reads. */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

/** Schema files that are not named after the noun that writes them. */
const OWNERS: Record<string, string> = { auth: 'members', audit: 'context.ts' }

/** Writes that cross nouns, by file: which tables, and why their owner cannot do it. */
const EXCEPTIONS: Record<string, { tables: string[]; reason: string }> = {
  'context.ts': {
    tables: ['events', 'webhookDeliveries', 'alertNotices'],
    reason: 'a change, its audit row, its event and the deliveries are one statement',
  },
  'erasures/erase-calls.ts': {
    tables: ['appointments', 'leads', 'calls', 'auditLog', 'events'],
    reason: 'an erasure takes a call out of every table in one transaction, and the nouns depend on erasures',
  },
  'privacy/erase-contact.ts': {
    tables: ['notes', 'messages', 'contacts'],
    reason: 'an erasure takes a person out of every table in one transaction',
  },
  'privacy/privacy.ts': {
    tables: ['messages', 'calls', 'recordings', 'callTurns'],
    reason: 'retention deletes what is too old, in pages that span tables',
  },
  'contacts/merge-contacts.ts': {
    tables: ['messages', 'calls', 'conversations', 'agentStates'],
    reason: 'a merge moves the rows of a contact, whose nouns depend on contacts',
  },
  'contacts/repair-contacts.ts': { tables: ['calls'], reason: 'calls depends on contacts' },
  'contacts/change-contact.ts': { tables: ['messages'], reason: 'messages depends on contacts' },
  'members/members.ts': { tables: ['businesses'], reason: 'businesses depends on members' },
  'businesses/ensure-first-business.ts': {
    tables: ['whatsappAccounts'],
    reason: 'the demonstration has accounts from the start, and whatsapp depends on businesses',
  },
  'messages/receive-message-fast-path.ts': {
    tables: ['conversations', 'auditLog'],
    reason: 'one statement, one round trip: held to the plain path by a test',
  },
  'messages/request-message-fast-path.ts': {
    tables: ['conversations', 'auditLog'],
    reason: 'one statement, one round trip: held to the plain path by a test',
  },
  'messages/change-message.ts': { tables: ['events'], reason: 'a deleted message leaves no words in its events' },
  'whatsapp/receipts.ts': { tables: ['messages'], reason: 'the receipts of a linked account, one statement a batch' },
  'whatsapp/outbox.ts': { tables: ['messages'], reason: 'the outbox of a linked account is its messages' },
}

type Write = { file: string; line: number; table: string; owner: string }

/** The tables of the schema files, by the name of their constant and by their name in Postgres. */
export function readTables(files: string[]): Map<string, { table: string; owner: string }> {
  const tables = new Map<string, { table: string; owner: string }>()
  for (const file of files) {
    const noun = basename(file, '.ts')
    for (const [, table = '', name = ''] of readFileSync(file, 'utf8').matchAll(
      /export const (\w+) = pgTable\(\s*'(\w+)'/g,
    )) {
      const entry = { table, owner: OWNERS[noun] ?? noun }
      tables.set(table, entry)
      tables.set(name, entry)
    }
  }
  return tables
}

const WRITES = [
  /\.(?:insert|update|delete)\((\w+)\)/g,
  /\b(?:insert into|delete from) (?:\$\{)?(\w+)/gi,
  /\bupdate (?:\$\{)?(\w+)\}?(?: as \w+| \w+)? set\b/gi,
]

/** The writes of a file below `src/domain` to tables that its noun does not own. */
export function findForeignWrites(file: string, source: string, tables: ReturnType<typeof readTables>): Write[] {
  const noun = file.split('/')[0] ?? ''
  return WRITES.flatMap((pattern) => [...source.matchAll(pattern)]).flatMap((match) => {
    const found = tables.get(match[1] ?? '')
    if (!found || found.owner === noun) return []
    return [{ file, line: source.slice(0, match.index).split('\n').length, ...found }]
  })
}

if (import.meta.main) {
  const list = (pattern: string) =>
    Bun.spawnSync(['git', 'ls-files', pattern]).stdout.toString().trim().split('\n').filter(Boolean)
  const tables = readTables(list('db/schema/*.ts'))
  const writes = list('src/domain/*.ts').flatMap((path) =>
    findForeignWrites(path.slice('src/domain/'.length), readFileSync(path, 'utf8'), tables),
  )
  const faults = writes.filter(({ file, table }) => !EXCEPTIONS[file]?.tables.includes(table))
  for (const { file, line, table, owner } of faults)
    console.log(`src/domain/${file}:${line}: ${table} is written by ${owner} alone; call a function of its index.ts`)
  const unused = Object.entries(EXCEPTIONS).flatMap(([file, { tables: allowed }]) =>
    allowed
      .filter((table) => !writes.some((write) => write.file === file && write.table === table))
      .map((table) => `${file}: the exception for ${table} is not needed any more`),
  )
  for (const line of unused) console.log(line)
  const count = new Set([...tables.values()].map(({ table }) => table)).size
  console.log(`${count} tables, ${writes.length - faults.length} allowed writes across nouns`)
  if (faults.length + unused.length > 0 || count < 2) process.exit(1)
}
