import type { Command } from 'commander'
import { formatPhone } from '../../lib/phone.ts'
import { idArgument, type Language, languageOption } from '../arguments.ts'
import { formatTable, formatTime } from '../output.ts'
import type { Cli } from '../session.ts'

export function addNumberCommands(program: Command, { session, show }: Cli): void {
  const number = program.command('number').description('the phone numbers of the business')
  number
    .command('list')
    .description('phone numbers and their languages')
    .action(async () => {
      const { client } = await session()
      const { items } = await client.businesses.numbers.query()
      await show(items, () =>
        formatTable(
          ['number', 'label', 'language', 'since', 'id'],
          items.map((row) => [
            formatPhone(row.e164),
            row.label ?? '',
            row.language ?? '',
            formatTime(row.createdAt),
            row.id,
          ]),
        ),
      )
    })
  number
    .command('add')
    .description('assign a number to the business; `doctor --fix` then sets its webhooks')
    .argument('<number>', '+972… or 03-…')
    .option('--label <label>')
    .addOption(languageOption())
    .action(async (value: string, { label, lang }: { label?: string; lang?: Language }) => {
      const { client } = await session()
      const made = await client.businesses.addNumber.mutate({
        number: value,
        ...(label ? { label } : {}),
        ...(lang ? { language: lang } : {}),
      })
      await show(made, () => `${made.e164}  ${made.id}`)
    })
  number
    .command('remove')
    .description('remove a number from the business')
    .addArgument(idArgument('the id of the number'))
    .action(async (numberId: string) => {
      const { client } = await session()
      await show(await client.businesses.removeNumber.mutate({ numberId }), () => 'removed')
    })
}
