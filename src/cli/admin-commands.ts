import type { Command } from 'commander'
import { formatPhone } from '../lib/phone.ts'
import { formatTable, formatTime } from './output.ts'
import type { Cli } from './session.ts'

/** `business`, `member`, `key`, `number`: who may do what, and which numbers are answered. */
export function addAdminCommands(program: Command, { session, show }: Cli): void {
  const business = program.command('business').description('the businesses of the installation')
  business.command('list').action(async () => {
    const { client } = await session()
    const { items } = await client.businesses.all.query()
    await show(items, () =>
      formatTable(
        ['name', 'language', 'blocked', 'since', 'id'],
        items.map((row) => [row.name, row.language, row.blockedAt ? 'yes' : '', formatTime(row.createdAt), row.id]),
      ),
    )
  })
  business
    .command('create')
    .argument('<name>')
    .option('--lang <language>', 'he or en', 'he')
    .action(async (name: string, { lang }: { lang: string }) => {
      const { client } = await session()
      const made = await client.businesses.create.mutate({ name, language: lang === 'en' ? 'en' : 'he' })
      await show(made, () => made.id)
    })
  business
    .command('block')
    .description('its calls go to voicemail, its sends are refused')
    .argument('<id>')
    .argument('<reason>')
    .action(async (businessId: string, reason: string) => {
      const { client } = await session()
      await show(await client.businesses.block.mutate({ businessId, reason }), () => 'blocked')
    })
  business
    .command('unblock')
    .argument('<id>')
    .action(async (businessId: string) => {
      const { client } = await session()
      await show(await client.businesses.unblock.mutate({ businessId }), () => 'unblocked')
    })

  const member = program.command('member').description('who may log in for the business')
  member.command('list').action(async () => {
    const { client } = await session()
    const { items } = await client.members.list.query({ limit: 200 })
    await show(items, () =>
      formatTable(
        ['e-mail', 'name', 'role', '2nd factor', 'id'],
        items.map((row) => [row.email, row.name, row.role, row.twoFactorEnabled ? 'yes' : '', row.id]),
      ),
    )
  })
  member
    .command('add')
    .argument('<email>')
    .option('--role <role>', 'owner, manager, agent or viewer', 'agent')
    .option('--name <name>')
    .option('--password <password>', 'the first password of a new login')
    .action(async (email: string, options: { role: string; name?: string; password?: string }) => {
      const { client } = await session()
      const { role, ...rest } = options
      const made = await client.members.add.mutate({ email, role: roleOf(role), ...rest })
      await show(made, () => `${made.email}  ${made.role}  ${made.id}`)
    })
  member
    .command('role')
    .argument('<id>')
    .argument('<role>')
    .action(async (id: string, role: string) => {
      const { client } = await session()
      const changed = await client.members.setRole.mutate({ id, role: roleOf(role) })
      await show(changed, () => `${changed.email}  ${changed.role}`)
    })
  member
    .command('remove')
    .argument('<id>')
    .action(async (id: string) => {
      const { client } = await session()
      await show(await client.members.remove.mutate({ id }), () => 'removed')
    })

  const key = program.command('key').description('API keys of the business')
  key.command('list').action(async () => {
    const { client } = await session()
    const { items } = await client.keys.list.query({ limit: 200 })
    await show(items, () =>
      formatTable(
        ['name', 'key', 'scope', 'last used', 'revoked', 'id'],
        items.map((row) => [
          row.name,
          `${row.prefix}…`,
          row.scope,
          formatTime(row.lastUsedAt),
          formatTime(row.revokedAt),
          row.id,
        ]),
      ),
    )
  })
  key
    .command('create')
    .description('answers the key this once')
    .argument('<name>')
    .option('--scope <scope>', 'read, write or admin', 'write')
    .action(async (name: string, { scope }: { scope: string }) => {
      const { client } = await session()
      const made = await client.keys.create.mutate({ name, scope: scopeOf(scope) })
      await show(made, () => made.key)
    })
  key
    .command('revoke')
    .argument('<id>')
    .action(async (id: string) => {
      const { client } = await session()
      await show(await client.keys.revoke.mutate({ id }), () => 'revoked')
    })

  const number = program.command('number').description('the numbers that the business answers')
  number.command('list').action(async () => {
    const { client } = await session()
    const { items } = await client.businesses.numbers.query()
    await show(items, () =>
      formatTable(
        ['number', 'label', 'since', 'id'],
        items.map((row) => [formatPhone(row.e164), row.label ?? '', formatTime(row.createdAt), row.id]),
      ),
    )
  })
  number
    .command('add')
    .argument('<number>')
    .option('--label <label>')
    .action(async (value: string, { label }: { label?: string }) => {
      const { client } = await session()
      const made = await client.businesses.addNumber.mutate({ number: value, ...(label ? { label } : {}) })
      await show(made, () => `${made.e164}  ${made.id}`)
    })
  number
    .command('remove')
    .argument('<id>')
    .action(async (numberId: string) => {
      const { client } = await session()
      await show(await client.businesses.removeNumber.mutate({ numberId }), () => 'removed')
    })
}

function roleOf(text: string) {
  if (text === 'owner' || text === 'manager' || text === 'agent' || text === 'viewer') return text
  throw new Error(`${text} is no role: owner, manager, agent or viewer.`)
}

function scopeOf(text: string) {
  if (text === 'read' || text === 'write' || text === 'admin') return text
  throw new Error(`${text} is no scope: read, write or admin.`)
}
