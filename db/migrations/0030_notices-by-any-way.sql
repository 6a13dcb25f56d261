ALTER TABLE "alert_incidents" DROP CONSTRAINT "alert_incidents_taken_how";--> statement-breakpoint
ALTER TABLE "appointment_notices" DROP CONSTRAINT "appointment_notices_kind";--> statement-breakpoint
ALTER TABLE "appointment_notices" DROP CONSTRAINT "appointment_notices_state";--> statement-breakpoint
DROP INDEX "appointment_notices_once";--> statement-breakpoint
ALTER TABLE "alert_members" ADD COLUMN "phone_verified_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "alert_members" ADD COLUMN "phone_code" text;--> statement-breakpoint
ALTER TABLE "alert_members" ADD COLUMN "phone_code_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "alert_members" ADD COLUMN "phone_code_tries" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "appointment_notices" ADD COLUMN "key" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "appointment_notices" ADD COLUMN "ways" text[];--> statement-breakpoint
ALTER TABLE "appointment_notices" ADD COLUMN "tried" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "appointment_notices" ADD COLUMN "attempts" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "appointment_notices" ADD COLUMN "claimed_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "appointment_notices" ADD COLUMN "address" text;--> statement-breakpoint
ALTER TABLE "appointment_notices" ADD COLUMN "provider_ref" text;--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "deposit_paid_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "appointments" ADD COLUMN "refund_due_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "conversations" ADD COLUMN "alerts_only" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "appointment_notices_each" ON "appointment_notices" USING btree ("appointment_id","kind","revision","before","key");--> statement-breakpoint
CREATE INDEX "appointment_notices_sending" ON "appointment_notices" USING btree ("claimed_at") WHERE "appointment_notices"."state" = 'sending';--> statement-breakpoint
CREATE INDEX "appointment_notices_sent" ON "appointment_notices" USING btree ("business_id","sent_at") WHERE "appointment_notices"."state" = 'sent';--> statement-breakpoint
ALTER TABLE "alert_incidents" ADD CONSTRAINT "alert_incidents_taken_how" CHECK ("alert_incidents"."taken_how" in ('console', 'whatsapp', 'sms', 'call', 'telegram'));--> statement-breakpoint
ALTER TABLE "appointment_notices" ADD CONSTRAINT "appointment_notices_kind" CHECK ("appointment_notices"."kind" in ('booked', 'moved', 'cancelled', 'reminder', 'follow_up', 'no_show', 'deposit', 'released', 'refund_due', 'offer', 'confirmed', 'move', 'too_late', 'unclear'));--> statement-breakpoint
ALTER TABLE "appointment_notices" ADD CONSTRAINT "appointment_notices_state" CHECK ("appointment_notices"."state" in ('pending', 'sending', 'sent', 'dropped', 'failed', 'unknown'));--> statement-breakpoint
-- Numbers that members gave before they had to be verified stay in use.
UPDATE "alert_members" SET "phone_verified_at" = now() WHERE "phone" IS NOT NULL;--> statement-breakpoint
UPDATE "appointments" SET "deposit_paid_at" = now() FROM "payments"
  WHERE "payments"."id" = "appointments"."deposit_payment_id" AND "payments"."paid_at" IS NOT NULL
    AND "appointments"."state" IN ('booked', 'no_show', 'cancelled');
