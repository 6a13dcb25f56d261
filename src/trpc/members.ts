import { z } from 'zod'
import {
  addMember,
  getMember,
  listMembers,
  memberView,
  ROLES,
  removeMember,
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
  /** Makes somebody a member; a login is made with the given first password when there is none. */
  add: businessProcedure
    .input(
      z.object({
        email: z.email().max(254),
        name: z.string().trim().min(1).max(120).optional(),
        password: z.string().min(8).max(128).optional(),
        role: z.enum(ROLES),
      }),
    )
    .output(memberView)
    .mutation(({ ctx, input }) => addMember(ctx.business, input, ctx.services.createLogin)),
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
