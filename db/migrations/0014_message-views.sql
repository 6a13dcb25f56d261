CREATE TABLE "early_deletions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_id" uuid NOT NULL,
	"provider" text NOT NULL,
	"account_id" uuid,
	"direction" text NOT NULL,
	"provider_message_id" text NOT NULL,
	"writers" text[] NOT NULL,
	"deleted_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "businesses" ADD COLUMN "long_text" text DEFAULT 'split' NOT NULL;--> statement-breakpoint
ALTER TABLE "message_media" ADD COLUMN "kind" text DEFAULT 'document' NOT NULL;--> statement-breakpoint
ALTER TABLE "message_media" ADD COLUMN "transcript" text;--> statement-breakpoint
ALTER TABLE "message_media" ADD COLUMN "processed_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "edited_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "deleted_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "part_of" uuid;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "part" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "early_deletions" ADD CONSTRAINT "early_deletions_business_id_businesses_id_fk" FOREIGN KEY ("business_id") REFERENCES "public"."businesses"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "early_deletions" ADD CONSTRAINT "early_deletions_account_id_whatsapp_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."whatsapp_accounts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "early_deletions_message" ON "early_deletions" USING btree ("business_id","provider_message_id");--> statement-breakpoint
CREATE INDEX "early_deletions_age" ON "early_deletions" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "message_media_unprocessed" ON "message_media" USING btree ("updated_at") WHERE "message_media"."state" = 'stored' and "message_media"."processed_at" is null;--> statement-breakpoint
CREATE INDEX "messages_about" ON "messages" USING btree ("business_id","reply_to") WHERE "messages"."kind" in ('reaction', 'poll_vote', 'edit');--> statement-breakpoint
CREATE INDEX "messages_parts" ON "messages" USING btree ("part_of") WHERE "messages"."part_of" is not null;
--> statement-breakpoint
-- by hand
UPDATE "messages" SET "edited_at" = ("data"->>'editedAt')::timestamptz WHERE "data" ? 'editedAt';--> statement-breakpoint
UPDATE "messages" SET "deleted_at" = ("data"->>'deletedAt')::timestamptz WHERE "data" ? 'deletedAt';--> statement-breakpoint
UPDATE "message_media" SET "kind" = CASE
	WHEN "content_type" LIKE 'image/%' THEN 'image' WHEN "content_type" LIKE 'video/%' THEN 'video'
	WHEN "content_type" LIKE 'audio/%' THEN 'audio' ELSE 'document' END;--> statement-breakpoint
UPDATE "message_media" SET "processed_at" = now() WHERE "state" = 'stored';
