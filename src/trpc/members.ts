import { z } from 'zod'
import {
  getMember,
  invitationView,
  inviteMember,
  listInvitations,
  listMembers,
  madeInvitation,
  memberView,
  ROLES,
  removeMember,
  requireSecondFactor,
  resendInvitation,
  revokeInvitation,
  setMemberRole,
} from '../domain/members/index.ts'
import { pageInput } from '../domain/paging.ts'
import { businessProcedure, byId, done, OK, pageOf, router } from './trpc.ts'

export const membersRouter = router({
  list: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/members', tag: 'Members', summary: 'List members' } })
    .input(pageInput.prefault({}))
    .output(pageOf(memberView))
    .query(({ ctx, input }) => listMembers(ctx.business, input)),
  get: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/members/{id}', tag: 'Members', summary: 'Get a member' } })
    .input(byId)
    .output(memberView)
    .query(({ ctx, input }) => getMember(ctx.business, input.id)),
  setRole: businessProcedure
    .meta({
      openapi: {
        method: 'PATCH',
        path: '/members/{id}',
        tag: 'Members',
        summary: 'Change a member’s role',
        description: 'The last owner of a business keeps the role.',
        example: { role: 'manager' },
      },
    })
    .input(byId.extend({ role: z.enum(ROLES) }))
    .output(memberView)
    .mutation(({ ctx, input }) => setMemberRole(ctx.business, input.id, input.role)),
  remove: businessProcedure
    .meta({ openapi: { method: 'DELETE', path: '/members/{id}', tag: 'Members', summary: 'Remove a member' } })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeMember(ctx.business, input.id)
      return OK
    }),
  requireSecondFactor: businessProcedure
    .meta({
      openapi: {
        method: 'PUT',
        path: '/members/second-factor',
        tag: 'Members',
        summary: 'Require a second factor from owners',
        description: 'While it is required, an owner without a second factor has the permissions of a manager.',
        example: { required: true },
      },
    })
    .input(z.object({ required: z.boolean() }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await requireSecondFactor(ctx.business, input.required)
      return OK
    }),
  invitations: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/invitations',
        tag: 'Members',
        summary: 'List open invitations',
        description: 'Invitations that were not accepted yet.',
      },
    })
    .input(pageInput.prefault({}))
    .output(pageOf(invitationView))
    .query(({ ctx, input }) => listInvitations(ctx.business, input)),
  invite: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/invitations',
        tag: 'Members',
        summary: 'Invite a member',
        description: 'Sends the invitation by mail. Without a mail server the response holds the link to pass on.',
        example: { email: 'dana@example.com', role: 'agent' },
        status: 201,
      },
    })
    .input(z.object({ email: z.email().max(254), role: z.enum(ROLES) }))
    .output(madeInvitation)
    .mutation(({ ctx, input }) => inviteMember(ctx.business, input, ctx.services.links)),
  resendInvitation: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/invitations/{id}/resend',
        tag: 'Members',
        summary: 'Resend an invitation',
        description: 'Sends a new link. The earlier link stops working.',
      },
    })
    .input(byId)
    .output(madeInvitation)
    .mutation(({ ctx, input }) => resendInvitation(ctx.business, input.id, ctx.services.links)),
  revokeInvitation: businessProcedure
    .meta({
      openapi: { method: 'DELETE', path: '/invitations/{id}', tag: 'Members', summary: 'Revoke an invitation' },
    })
    .input(byId)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await revokeInvitation(ctx.business, input.id)
      return OK
    }),
})
