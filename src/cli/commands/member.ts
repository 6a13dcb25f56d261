import { Argument, type Command, Option } from 'commander'
import { ROLES, type Role } from '../../domain/members/index.ts'
import type { Outputs } from '../../trpc/client.ts'
import { idArgument, limitOption, take } from '../arguments.ts'
import { formatLine, formatTable, formatTime } from '../output.ts'
import type { Cli } from '../session.ts'

export function addMemberCommands(program: Command, cli: Cli): void {
  const { session, show } = cli
  const member = program.command('member').description('who may log in for the business')
  member
    .command('list')
    .description('members and their roles')
    .addOption(limitOption().default(200))
    .action(async ({ limit }: { limit: number }) => {
      const { client } = await session()
      const items = await take(limit, (page) => client.members.list.query(page))
      await show(items, () =>
        formatTable(
          ['e-mail', 'name', 'role', '2nd factor', 'id'],
          items.map((row) => [row.email, row.name, row.role, row.twoFactorEnabled ? 'yes' : '', row.id]),
        ),
      )
    })
  addInvitationCommands(member, cli)
  member
    .command('second-factor')
    .description('whether owners need a second factor; without it they have the rights of a manager')
    .addArgument(new Argument('<required>').choices(['required', 'optional']))
    .action(async (required: string) => {
      const { client } = await session()
      const answer = await client.members.requireSecondFactor.mutate({ required: required === 'required' })
      await show(answer, () => required)
    })
  member
    .command('role')
    .description('change the role of a member')
    .addArgument(idArgument('the id of the member'))
    .addArgument(new Argument('<role>').choices(ROLES))
    .action(async (id: string, role: Role) => {
      const { client } = await session()
      const changed = await client.members.setRole.mutate({ id, role })
      await show(changed, () => formatLine(changed.email, changed.role))
    })
  member
    .command('remove')
    .description('remove a member')
    .addArgument(idArgument('the id of the member'))
    .action(async (id: string) => {
      const { client } = await session()
      await show(await client.members.remove.mutate({ id }), () => 'removed')
    })
}

function addInvitationCommands(member: Command, cli: Cli): void {
  const { session, show } = cli
  member
    .command('invite')
    .description('invite a person; the link is sent by mail, or printed when no mail is set up')
    .argument('<email>')
    .addOption(new Option('--role <role>', 'what the member may do').choices(ROLES).default('agent'))
    .action(async (email: string, { role }: { role: Role }) => {
      const { client } = await session()
      await showInvitation(cli, await client.members.invite.mutate({ email, role }))
    })
  member
    .command('invitations')
    .description('open invitations')
    .addOption(limitOption().default(200))
    .action(async ({ limit }: { limit: number }) => {
      const { client } = await session()
      const items = await take(limit, (page) => client.members.invitations.query(page))
      await show(items, () =>
        formatTable(
          ['e-mail', 'role', 'mail', 'expires', 'id'],
          items.map((row) => [row.email, row.role, row.mail ?? 'handed over', formatTime(row.expiresAt), row.id]),
        ),
      )
    })
  member
    .command('resend')
    .description('send an invitation again with a new link; the earlier link stops working')
    .addArgument(idArgument('the id of the invitation'))
    .action(async (id: string) => {
      const { client } = await session()
      await showInvitation(cli, await client.members.resendInvitation.mutate({ id }))
    })
  member
    .command('revoke')
    .description('revoke an invitation')
    .addArgument(idArgument('the id of the invitation'))
    .action(async (id: string) => {
      const { client } = await session()
      await show(await client.members.revokeInvitation.mutate({ id }), () => 'revoked')
    })
}

async function showInvitation(cli: Cli, made: Outputs['members']['invite']): Promise<void> {
  await cli.show(made, () =>
    [
      `${made.email}  ${made.role}  ${made.id}`,
      made.link
        ? `Send this link to the person. It works once, until ${formatTime(made.expiresAt)}:\n${made.link}`
        : 'The invitation is being sent by mail.',
    ].join('\n'),
  )
}
