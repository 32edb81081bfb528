import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import {
  CorsHttpMethod,
  HttpApi,
  HttpMethod,
  HttpNoneAuthorizer,
  HttpStage,
  LogGroupLogDestination,
  type CorsPreflightOptions,
  type IHttpRouteAuthorizer,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer, HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { accept, acceptWildcards } from './findings.ts';
import type { Settings } from './settings.ts';

/** Headers that a page may send: the API's own, a token's, and those of signed requests. */
const REQUEST_HEADERS = [
  'accept',
  'authorization',
  'content-encoding',
  'content-type',
  'idempotency-key',
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-security-token',
];
/** Headers of answers that a page may read. */
const ANSWER_HEADERS = ['link', 'location', 'retry-after'];

/** Of each request who it was, what became of it and how long that took. A query may hold secrets, and is left out. */
const ACCESS_LOG = {
  time: '$context.requestTime',
  requestId: '$context.requestId',
  sourceIp: '$context.identity.sourceIp',
  caller: '$context.identity.userArn',
  subject: '$context.authorizer.claims.sub',
  method: '$context.httpMethod',
  path: '$context.path',
  status: '$context.status',
  ms: '$context.responseLatency',
  bytes: '$context.responseLength',
  error: '$context.error.message',
  integrationError: '$context.integrationErrorMessage',
  authorizerError: '$context.authorizer.error',
};

type ApiFunctions = Record<'api' | 'status', IFunction>;

/**
 * The HTTP API: what writes goes to `api`, everything else to `status`, which answers unknown paths, too. `deployment`
 * is part of its log's name.
 */
export function createApi(scope: Construct, functions: ApiFunctions, settings: Settings, deployment: string): HttpApi {
  const { authorisation, cors, logRetentionDays } = settings;
  const api = new HttpLambdaIntegration('Api', functions.api);
  const status = new HttpLambdaIntegration('Status', functions.status);
  const http = new HttpApi(scope, 'Http', {
    apiName: Stack.of(scope).stackName,
    createDefaultStage: false,
    defaultAuthorizer: authorizerOf(authorisation),
    // For pages no `$default`: it would ask preflight requests, which API Gateway answers itself, for authorisation.
    ...(cors ? { corsPreflight: preflightOf(cors.origins) } : { defaultIntegration: status }),
  });
  http.addRoutes({ path: '/{proxy+}', methods: [HttpMethod.POST, HttpMethod.DELETE], integration: api });
  if (cors) {
    const methods = [HttpMethod.GET, HttpMethod.HEAD];
    for (const path of ['/', '/{proxy+}']) http.addRoutes({ path, methods, integration: status });
  }
  if (authorisation.type === 'public') accept(http, 'APIG4', 'The settings say that anyone may call.');

  const logGroup = new LogGroup(scope, 'HttpLog', {
    // Under this name it needs no place in a policy that is short and that all APIs of an account share.
    logGroupName: `/aws/vendedlogs/downburst/${deployment}`,
    retention: logRetentionDays,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  new HttpStage(scope, 'HttpStage', {
    httpApi: http,
    stageName: '$default',
    autoDeploy: true,
    accessLogSettings: {
      destination: new LogGroupLogDestination(logGroup),
      format: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG)),
    },
  });
  return http;
}

function authorizerOf(authorisation: Settings['authorisation']): IHttpRouteAuthorizer {
  switch (authorisation.type) {
    case 'iam':
      return new HttpIamAuthorizer();
    case 'jwt':
      return new HttpJwtAuthorizer('Jwt', authorisation.issuer, { jwtAudience: authorisation.audience });
    case 'public':
      return new HttpNoneAuthorizer();
  }
}

function preflightOf(allowOrigins: string[]): CorsPreflightOptions {
  return {
    allowOrigins,
    allowMethods: [CorsHttpMethod.GET, CorsHttpMethod.HEAD, CorsHttpMethod.POST, CorsHttpMethod.DELETE],
    allowHeaders: REQUEST_HEADERS,
    exposeHeaders: ANSWER_HEADERS,
    maxAge: Duration.hours(1),
  };
}

/** The policy to give to those who are to call an API that takes signed requests. */
export function createInvokePolicy(scope: Construct, http: HttpApi): ManagedPolicy {
  const all = http.arnForExecuteApi();
  const policy = new ManagedPolicy(scope, 'Invoke', {
    description: `Allows to call the Downburst API of ${Stack.of(scope).stackName}`,
    statements: [new PolicyStatement({ actions: ['execute-api:Invoke'], resources: [all] })],
  });
  acceptWildcards(policy, [all], 'Who may call may call all of this API: a batch belongs to nobody in particular.');
  return policy;
}
