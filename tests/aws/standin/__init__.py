"""A stand-in for AWS: our own front door and our own rules over a pinned, unmodified moto.

One process, one event loop, no locks: every AWS call is carried out whole before the next one begins, so the
state that tests see is never half written. A request's way through the files:

    server  ->  pipeline  ->  operations   (which service, operation, account; parameters from botocore's model)
                          ->  faults       (what the test ordered: errors, latency, cut connections, lost replies)
                          ->  credentials, signature          (who is it, and can they prove it)
                          ->  authorize -> actions, policy    (may they)
                          ->  validate                        (is the request what AWS's model allows)
                          ->  services/*                      (what moto lacks or does otherwise than AWS)
                          ->  bridge                          (moto does the rest)
                          ->  wire                            (the reply in the protocol's own form)

What the tests steer and read stands under /_standin/ (control, inventory).
"""
