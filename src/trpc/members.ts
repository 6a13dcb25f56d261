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
import { businessProcedure, done, OK, pageOf, router } from './trpc.ts'

const id = z.object({ id: z.uuid() })

export const membersRouter = router({
  list: businessProcedure
    .input(pageInput.prefault({}))
    .output(pageOf(memberView))
    .query(({ ctx, input }) => listMembers(ctx.business, input)),
  get: businessProcedure
    .input(id)
    .output(memberView)
    .query(({ ctx, input }) => getMember(ctx.business, input.id)),
  /**
   * Asks the owner of an address to become a member. Where mail is set up it carries the link; else the link is answered
   * this once, to be handed over.
   */
  invite: businessProcedure
    .input(z.object({ email: z.email().max(254), role: z.enum(ROLES) }))
    .output(madeInvitation)
    .mutation(({ ctx, input }) => inviteMember(ctx.business, input, ctx.services.links)),
  /** The invitations that nobody has accepted yet. */
  invitations: businessProcedure
    .input(pageInput.prefault({}))
    .output(pageOf(invitationView))
    .query(({ ctx, input }) => listInvitations(ctx.business, input)),
  /** Sends an invitation again with a new link; the earlier one stops working. */
  resendInvitation: businessProcedure
    .input(id)
    .output(madeInvitation)
    .mutation(({ ctx, input }) => resendInvitation(ctx.business, input.id, ctx.services.links)),
  revokeInvitation: businessProcedure
    .input(id)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await revokeInvitation(ctx.business, input.id)
      return OK
    }),
  /** Whether owners need a second factor; one without it has a manager's rights. */
  requireSecondFactor: businessProcedure
    .input(z.object({ required: z.boolean() }))
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await requireSecondFactor(ctx.business, input.required)
      return OK
    }),
  setRole: businessProcedure
    .input(id.extend({ role: z.enum(ROLES) }))
    .output(memberView)
    .mutation(({ ctx, input }) => setMemberRole(ctx.business, input.id, input.role)),
  remove: businessProcedure
    .input(id)
    .output(done)
    .mutation(async ({ ctx, input }) => {
      await removeMember(ctx.business, input.id)
      return OK
    }),
})
