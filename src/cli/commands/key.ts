import { type Command, Option } from 'commander'
import { SCOPES, type Scope } from '../../domain/members/index.ts'
import { idArgument, limitOption, take } from '../arguments.ts'
import { formatTable, formatTime } from '../output.ts'
import type { Cli } from '../session.ts'

export function addKeyCommands(program: Command, { session, show }: Cli): void {
  const key = program.command('key').description('API keys of the business')
  key
    .command('list')
    .description('API keys, shown by their first characters')
    .addOption(limitOption().default(200))
    .action(async ({ limit }: { limit: number }) => {
      const { client } = await session()
      const items = await take(limit, (page) => client.keys.list.query(page))
      await show(items, () =>
        formatTable(
          ['name', 'key', 'scope', 'last used', 'revoked', 'id'],
          items.map((row) => [
            row.name,
            `${row.prefix}…`,
            row.operator ? `${row.scope}, operator` : row.scope,
            formatTime(row.lastUsedAt),
            formatTime(row.revokedAt),
            row.id,
          ]),
        ),
      )
    })
  key
    .command('create')
    .description('create a key; it is shown only once')
    .argument('<name>')
    .addOption(new Option('--scope <scope>', 'what the key may do').choices(SCOPES).default('write'))
    .option('--operator', 'the key may operate the whole installation; needs --scope admin')
    .action(async (name: string, { scope, operator }: { scope: Scope; operator?: true }) => {
      const { client } = await session()
      const made = await client.keys.create.mutate({ name, scope, operator: operator ?? false })
      await show(made, () => made.key)
    })
  key
    .command('revoke')
    .description('revoke a key')
    .addArgument(idArgument('the id of the key'))
    .action(async (id: string) => {
      const { client } = await session()
      await show(await client.keys.revoke.mutate({ id }), () => 'revoked')
    })
}
