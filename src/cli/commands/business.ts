import type { Command } from 'commander'
import { idArgument, type Language, languageOption } from '../arguments.ts'
import { formatTable, formatTime } from '../output.ts'
import type { Cli } from '../session.ts'
import { addCredentialCommands } from './business-keys.ts'
import { addSettingCommands } from './business-settings.ts'

export function addBusinessCommands(program: Command, cli: Cli): void {
  const { session, show } = cli
  const business = program.command('business').description('the businesses of the installation')
  business
    .command('list')
    .description('all businesses, oldest first')
    .action(async () => {
      const { client } = await session()
      const { items } = await client.businesses.list.query()
      await show(items, () =>
        formatTable(
          ['name', 'language', 'blocked', 'since', 'id'],
          items.map((row) => [row.name, row.language, row.blockedAt ? 'yes' : '', formatTime(row.createdAt), row.id]),
        ),
      )
    })
  business
    .command('create')
    .description('create a business and print its id')
    .argument('<name>')
    .addOption(languageOption().default('he'))
    .action(async (name: string, { lang }: { lang: Language }) => {
      const { client } = await session()
      const made = await client.businesses.create.mutate({ name, language: lang })
      await show(made, () => made.id)
    })
  business
    .command('block')
    .description('block a business: its calls go to voicemail, its messages are refused')
    .addArgument(idArgument('the id of the business'))
    .argument('<reason>')
    .action(async (id: string, reason: string) => {
      const { client } = await session()
      await show(await client.businesses.block.mutate({ id, reason }), () => 'blocked')
    })
  business
    .command('unblock')
    .description('unblock a business')
    .addArgument(idArgument('the id of the business'))
    .action(async (id: string) => {
      const { client } = await session()
      await show(await client.businesses.unblock.mutate({ id }), () => 'unblocked')
    })
  addSettingCommands(business, cli)
  addCredentialCommands(business, cli)
}
