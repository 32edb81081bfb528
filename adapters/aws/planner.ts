import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';

/**
 * Has the planner's function begin with a batch. Lambda keeps the event and repeats an invocation that fails twice; more
 * is the sweeper's.
 */
export async function invokePlanner(client: LambdaClient, functionName: string, batchId: string): Promise<void> {
  const Payload = JSON.stringify({ batchId });
  await client.send(new InvokeCommand({ FunctionName: functionName, InvocationType: 'Event', Payload }));
}
